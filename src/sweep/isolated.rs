//! The reference: one plain run for each variant.

use super::engine::Visitor;
use super::metric::Reading;
use super::plan::Plan;
use crate::error::Result;
use crate::hook::{HookRegistry, NoHooks};
use crate::model::Logits;

impl Plan<'_> {
    /// Reads the bases, then every variant, each from a run of the whole batch in which its sequence
    /// alone has hooks of its own.
    pub(super) fn run_isolated(&self, visit: &mut Visitor<'_>) -> Result<()> {
        let n_sequences = self.bases.len();
        let none = vec![&NoHooks as &dyn HookRegistry; n_sequences];
        let bases = self.plain(&none)?;
        for sequence in 0..n_sequences {
            self.read_plain(None, sequence, &bases, &bases, visit)?;
        }
        for (number, registry) in self.variants.registries().iter().enumerate() {
            let sequence = number % n_sequences;
            let mut each = none.clone();
            each[sequence] = &**registry;
            self.read_plain(Some(number), sequence, &self.plain(&each)?, &bases, visit)?;
        }
        Ok(())
    }

    fn plain(&self, each: &[&dyn HookRegistry]) -> Result<Logits> {
        let run = self.sweep.model.run(self.sweep.batch).hooks(self.sweep.base_hooks);
        let run = run.hooks_for_each(each).unembed(self.sweep.score.clone());
        Ok(run.execute()?.logits)
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
