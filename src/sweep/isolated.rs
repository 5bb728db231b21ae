//! The reference: one plain run for each variant.

use super::engine::Visitor;
use super::metric::Reading;
use super::plan::Plan;
use crate::error::Result;
use crate::hook::{HookRegistry, NoHooks, Work};
use crate::model::{Logits, RunOutput};

impl Plan<'_> {
    /// Reads the bases, then every variant, each from a run of the whole batch in which its sequence
    /// alone has hooks of its own.
    pub(super) fn run_isolated(&self, visit: &mut Visitor<'_>) -> Result<Work> {
        let n_sequences = self.bases.len();
        let none = vec![&NoHooks as &dyn HookRegistry; n_sequences];
        let RunOutput { logits: bases, mut work, .. } = self.plain(&none)?;
        for sequence in 0..n_sequences {
            self.read_plain(None, sequence, &bases, &bases, visit)?;
        }
        for (number, registry) in self.variants.registries().iter().enumerate() {
            let sequence = number % n_sequences;
            let mut each = none.clone();
            each[sequence] = &**registry;
            let run = self.plain(&each)?;
            work += run.work;
            self.read_plain(Some(number), sequence, &run.logits, &bases, visit)?;
        }
        Ok(work)
    }

    fn plain(&self, each: &[&dyn HookRegistry]) -> Result<RunOutput> {
        let run = self.sweep.model.run(self.sweep.batch).hooks(self.sweep.base_hooks);
        run.hooks_for_each(each).unembed(self.sweep.score.clone()).execute()
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
