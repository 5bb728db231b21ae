//! The reference: one plain run for each variant.

use super::captured::Captured;
use super::engine::Visitor;
use super::metric::Reading;
use super::plan::Plan;
use crate::error::{Error, Result};
use crate::hook::{HookRegistry, NoHooks, Spec, Work, is_skipped};
use crate::model::{Logits, RunOutput};

impl Plan<'_> {
    /// Reads the bases, then every variant, each from a run of the whole batch in which its sequence
    /// alone has hooks of its own.
    pub(super) fn run_isolated(&self, visit: &mut Visitor<'_>) -> Result<(Captured, Work)> {
        let n_sequences = self.bases.len();
        let none = vec![&NoHooks as &dyn HookRegistry; n_sequences];
        let RunOutput { logits: bases, mut work, activations, .. } =
            self.plain(&none, &self.sweep.captures)?;
        let mut captured = self.nothing_captured();
        captured.take_plain(None, activations);
        for sequence in 0..n_sequences {
            self.read_plain(None, sequence, &bases, &bases, visit)?;
        }
        for (number, registry) in self.variants.registries().iter().enumerate() {
            let sequence = number % n_sequences;
            let mut each = none.clone();
            each[sequence] = &**registry;
            // In a block that it skips, the variant has nothing to be captured.
            let captures = self.sweep.captures.iter();
            let passed = captures.filter(|spec| !is_skipped(&**registry, spec.site()));
            let passed: Vec<Spec> = passed.cloned().collect();
            let run = self.plain(&each, &passed).map_err(|source| {
                let variant = self.variants.describe(number);
                Error::Variant { variant, source: Box::new(source) }
            })?;
            work += run.work;
            captured.take_plain(Some((number, sequence)), run.activations);
            self.read_plain(Some(number), sequence, &run.logits, &bases, visit)?;
        }
        Ok((captured, work))
    }

    fn plain(&self, each: &[&dyn HookRegistry], captures: &[Spec]) -> Result<RunOutput> {
        let run = self.sweep.model.run(self.sweep.batch).hooks(self.sweep.base_hooks);
        // A variant may skip a block where its base has a hook.
        let run = run.hooks_for_each(each).capture_all(captures).hooks_may_idle();
        run.unembed(self.sweep.score.clone()).execute()
    }

    fn read_plain(
        &self,
        variant: Option<usize>,
        sequence: usize,
        logits: &Logits,
        bases: &Logits,
        visit: &mut Visitor<'_>,
    ) -> Result<()> {
        for (place, &position) in self.scored[sequence].iter().enumerate() {
            let (logits, base) = (logits.at(sequence, position)?, bases.at(sequence, position)?);
            let reading = Reading { logits: logits.view(), base: base.view(), sequence, position };
            visit(variant, place, &reading)?;
        }
        Ok(())
    }
}
