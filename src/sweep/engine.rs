//! Runs a plan.

use std::ops::Range;

use tch::{Device, Kind, Tensor};

use super::plan::{PassPlan, Plan};
use super::progress::{Progress, Reporter};
use super::reading::{Rows, Visitor};
use super::results::{Change, Results};
use crate::dispatch::{Dispatcher, Intent, Interrupt, Registries};
use crate::error::{Error, Result, SweepError};
use crate::grad_mode::without_gradients;
use crate::hook::{HookRegistry, NoHooks};
use crate::layout::{Segment, SegmentId, Segments};
use crate::model::{Pass, Scored};
use crate::scalar::numbers;

impl Plan<'_> {
    /// Runs all passes, unless `report` gives `false`, and tells `results` what they did. Bases are read in
    /// each pass, before variants.
    pub(super) fn run_passes(
        &self,
        results: &mut Results,
        visit: &mut Visitor<'_>,
        report: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<()> {
        let mut reporter = Reporter::new(self.block_rows(), report);
        for pass in &self.passes {
            match without_gradients(|| self.run_pass(pass, results, visit, &mut reporter)) {
                Ok(()) => {}
                Err(Interrupt::Stopped) => break,
                Err(Interrupt::Failed(error)) => return Err(error),
                Err(Interrupt::InSegment(segment, error)) => {
                    return Err(self.in_segment(pass, segment, error));
                }
            }
        }
        Ok(())
    }

    fn run_pass(
        &self,
        plan: &PassPlan,
        results: &mut Results,
        visit: &mut Visitor<'_>,
        reporter: &mut Reporter<'_>,
    ) -> Result<(), Interrupt> {
        let (model, batch) = (self.sweep.model, self.sweep.batch);
        let n_bases = self.bases.len();
        let own = plan.members.iter().map(|&(variant, _)| self.variants.registry(variant));
        let bases = std::iter::repeat_n(&NoHooks as &dyn HookRegistry, n_bases);
        let each: Vec<&dyn HookRegistry> = bases.chain(own).collect();
        let registries = Registries { shared: self.sweep.base_hooks, each: Some(&each) };
        let intent = Intent { captures: self.sweep.captures.clone(), ..Intent::of(registries) };
        let mut hooks = Dispatcher::checked(model.config(), intent, each.len());
        let layouts = &plan.layouts;
        let mut pass = Pass {
            segments: &layouts.embedding,
            hooks: &mut hooks,
            cache: None,
            layouts: Some(layouts),
        };
        let mut residual = model.embedded(batch.sequences(), &mut pass)?;
        for layer in 0..model.config().n_layers {
            let rows = pass.segments.rows;
            residual = model.through_block(layer, residual, &mut pass)?;
            if !reporter.add(rows) {
                return Err(Interrupt::Stopped);
            }
        }

        let at_once = self.costs.segments_at_once();
        let chunks = |numbers: Range<usize>| {
            let end = numbers.end;
            numbers.step_by(at_once).map(move |start| start..(start + at_once).min(end))
        };
        let mut of_bases: Vec<Rows> = vec![Rows::default((0, 0)); n_bases];
        for chunk in chunks(0..n_bases) {
            self.unembed(&residual, chunk, &mut pass, &mut |segment, rows| {
                self.show(None, segment.sequence, &rows, &rows, visit)?;
                of_bases[segment.sequence] = rows;
                Ok(())
            })?;
        }
        for chunk in chunks(n_bases..n_bases + plan.members.len()) {
            self.unembed(&residual, chunk, &mut pass, &mut |segment, rows| {
                let (variant, _) = plan.members[segment.id.0 - n_bases];
                let base = &of_bases[segment.sequence];
                self.show(Some(variant), segment.sequence, &rows, base, visit)
            })?;
        }
        let (ledger, activations, work) = hooks.close()?;
        for (variant, staged) in &plan.members {
            let (id, registry) = (staged.segment.id, self.variants.registry(*variant));
            ledger.check_own(id).map_err(|error| Interrupt::of(Some(id), error))?;
            let change = Change::new(ledger.change_of(id), registry, model.config().n_layers);
            results.take_change(*variant, change);
        }
        ledger.check()?;
        results.take_pass(&plan.members, activations, work);
        Ok(())
    }

    /// An error because of one segment, with the name of its variant or base.
    fn in_segment(&self, plan: &PassPlan, SegmentId(number): SegmentId, error: Error) -> Error {
        let variant = match number.checked_sub(self.bases.len()) {
            Some(member) => self.variants.describe(plan.members[member].0),
            None => format!("the base, sequence {number}"),
        };
        SweepError::Variant { variant, source: Box::new(error) }.into()
    }

    /// The logits of some segments at their scored positions, one segment after the other.
    fn unembed(
        &self,
        residual: &Tensor,
        numbers: Range<usize>,
        pass: &mut Pass<'_, '_>,
        take: &mut dyn FnMut(&Segment, Rows) -> Result<()>,
    ) -> Result<(), Interrupt> {
        let (segments, rows) = pass.segments.only(|SegmentId(number)| numbers.contains(&number));
        let rows = Tensor::f_from_slice(&rows)?.f_to_device(residual.device())?;
        let residual = residual.f_index_select(0, &rows)?;
        let scored = Scored::new(&segments, Some(&self.sweep.score))?;
        let logits = self.sweep.model.unembedded(&residual, &scored, &mut pass.over(&segments))?;
        let segments_by_row = segments.by_row().map(|(segment, _)| segment);
        let mut cut: Vec<_> = segments_by_row.zip(self.cut(&logits, &segments)?).collect();
        // How segments lie is nobody's business outside: the first that fails is the first to fork.
        cut.sort_by_key(|(segment, _)| segment.id);
        for (segment, rows) in cut {
            take(segment, rows)?;
        }
        Ok(())
    }

    /// The scored rows of each segment, in the order of the flat state.
    fn cut(&self, logits: &Tensor, segments: &Segments) -> Result<Vec<Rows>> {
        let logits = logits.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?;
        let d_vocab = logits.size()[1] as usize;
        let mut start = 0;
        let mut cut = Vec::with_capacity(segments.len());
        for (segment, _) in segments.by_row() {
            let count = self.scored[segment.sequence].len();
            let rows = logits.f_narrow(0, start, count as i64)?.f_flatten(0, 1)?;
            start += count as i64;
            let rows = Rows::from_shape_vec((count, d_vocab), numbers(&rows)?);
            cut.push(rows.map_err(|error| Error::Bug(error.to_string()))?);
        }
        Ok(cut)
    }
}
