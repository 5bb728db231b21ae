//! The reference: one plain run for each variant.

use ndarray::Array1;

use super::plan::Plan;
use super::reading::{Rows, Visitor};
use super::results::{Change, Results};
use crate::dispatch::is_skipped;
use crate::error::{Error, Result, SweepError};
use crate::hook::{CaptureSpec, HookRegistry, NoHooks};
use crate::layout::SegmentId;
use crate::model::{Logits, RunOutput};

impl Plan<'_> {
    /// Reads the bases, then every variant, each from a run of the whole batch in which its sequence
    /// alone has hooks of its own.
    pub(super) fn run_isolated(
        &self,
        results: &mut Results,
        visit: &mut Visitor<'_>,
    ) -> Result<()> {
        let n_sequences = self.bases.len();
        let none = vec![&NoHooks as &dyn HookRegistry; n_sequences];
        let bases = self.plain(&none, &self.sweep.captures)?;
        let of_bases: Vec<Rows> = (0..n_sequences)
            .map(|sequence| self.rows(&bases.logits, sequence))
            .collect::<Result<_>>()?;
        results.take_plain(None, bases.activations, bases.work);
        for (sequence, rows) in of_bases.iter().enumerate() {
            self.show(None, sequence, rows, rows, visit)?;
        }
        for (id, registry) in self.variants.iter() {
            let sequence = id.sequence;
            let mut each = none.clone();
            each[sequence] = registry;
            // In a block that it skips, the variant has nothing to be captured.
            let captures = self.sweep.captures.iter();
            let passed = captures.filter(|spec| !is_skipped(registry, spec.site()));
            let passed: Vec<CaptureSpec> = passed.cloned().collect();
            let own = SegmentId(sequence);
            let run = self.plain(&each, &passed);
            let run = run.and_then(|run| run.ledger.check_own(own).map(|()| run));
            let run = run.map_err(|source| SweepError::Variant {
                variant: self.variants.describe(id),
                source: Box::new(source),
            })?;
            let l2 = run.ledger.change_of(own);
            results.take_change(id, Change::new(l2, registry, self.sweep.model.config().n_layers));
            let rows = self.rows(&run.logits, sequence)?;
            results.take_plain(Some(id), run.activations, run.work);
            self.show(Some(id), sequence, &rows, &of_bases[sequence], visit)?;
        }
        Ok(())
    }

    fn plain(&self, each: &[&dyn HookRegistry], captures: &[CaptureSpec]) -> Result<RunOutput> {
        let run = self.sweep.model.run(self.sweep.batch).hooks(self.sweep.base_hooks);
        // A variant may skip a block where its base has a hook.
        let run = run.hooks_for_each(each).capture_all(captures).lenient();
        run.unembed(self.sweep.score.clone()).execute()
    }

    /// The scored rows of a sequence.
    fn rows(&self, logits: &Logits, sequence: usize) -> Result<Rows> {
        let scored = self.scored[sequence].iter();
        let rows = scored.map(|&position| logits.at(sequence, position));
        let rows: Vec<Array1<f64>> = rows.collect::<Result<_>>()?;
        let views: Vec<_> = rows.iter().map(|row| row.view()).collect();
        ndarray::stack(ndarray::Axis(0), &views).map_err(|error| Error::Bug(error.to_string()))
    }
}
