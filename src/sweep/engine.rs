//! Runs a plan.

use std::ops::Range;

use ndarray::Array2;
use tch::{Device, Kind, Tensor};

use super::captured::Captured;
use super::metric::Reading;
use super::plan::{PassPlan, Plan};
use super::progress::{Progress, Reporter};
use crate::error::{Error, Result};
use crate::hook::{
    Activations, Dispatcher, Halt, HookRegistry, Intent, NoHooks, Registries, Way, Work,
};
use crate::model::{Pass, Scored};
use crate::segment::{Segment, Segments};

/// What is told of every reading: the variant's index, or none for a base, the index of the position
/// among the scored ones, and the reading.
pub(crate) type Visitor<'v> = dyn FnMut(Option<usize>, usize, &Reading<'_>) -> Result<()> + 'v;

/// The logits of a segment at its scored positions, `[position, d_vocab]`.
type Rows = Array2<f64>;

impl Plan<'_> {
    /// Runs all passes, unless `report` gives `false`; what they captured and computed. Bases are read in each
    /// pass, before variants.
    pub(crate) fn read(
        &self,
        visit: &mut Visitor<'_>,
        report: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<(Captured, Work)> {
        let mut reporter = Reporter::new(self.block_rows(), report);
        let (mut captured, mut work) = (self.nothing_captured(), Work::default());
        for pass in &self.passes {
            let done = tch::no_grad(|| self.run_pass(pass, visit, &mut reporter));
            match done {
                Ok((activations, of_pass)) => {
                    work += of_pass;
                    captured.take(&pass.members, activations);
                }
                Err(Halt::Stopped) => break,
                Err(Halt::Failed(error)) => return Err(self.name_variant(pass, error)),
            }
        }
        Ok((captured, work))
    }

    fn run_pass(
        &self,
        plan: &PassPlan,
        visit: &mut Visitor<'_>,
        reporter: &mut Reporter<'_>,
    ) -> Result<(Activations, Work), Halt> {
        let (model, batch) = (self.sweep.model, self.sweep.batch);
        let n_bases = self.bases.len();
        let members = plan.members.iter();
        let own = members.map(|&(number, _)| &*self.variants.registries()[number]);
        let bases = std::iter::repeat_n(&NoHooks as &dyn HookRegistry, n_bases);
        let each: Vec<&dyn HookRegistry> = bases.chain(own).collect();
        let intent = Intent {
            registries: Registries { shared: self.sweep.base_hooks, each: Some(&each) },
            captures: self.sweep.captures.clone(),
            n_sequences: n_bases,
            way: Way { from: None, until: None },
            check_finite: false,
        };
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
                return Err(Halt::Stopped);
            }
        }

        let at_once = self.costs.segments_at_once();
        let chunks = |ids: Range<usize>| {
            let end = ids.end;
            ids.step_by(at_once).map(move |start| start..(start + at_once).min(end))
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
                let (number, _) = plan.members[segment.id - n_bases];
                let base = &of_bases[segment.sequence];
                self.show(Some(number), segment.sequence, &rows, base, visit)
            })?;
        }
        let (_, activations, work) = hooks.finish()?;
        Ok((activations, work))
    }

    /// An error from inside a pass, with the name of the variant whose hook it is about.
    fn name_variant(&self, plan: &PassPlan, mut error: Error) -> Error {
        let n_bases = self.bases.len();
        let segment = match &mut error {
            // A variant's registry is the only one that it has.
            Error::EditFailed { sequence, .. } | Error::EditResult { sequence, .. } => {
                sequence.take()
            }
            Error::NoKeyLeft { sequence, .. } => {
                let segment = *sequence;
                let variant = segment.checked_sub(n_bases).map(|place| &plan.members[place].1);
                *sequence = variant.map_or(segment, |variant| variant.segment.sequence);
                Some(segment)
            }
            _ => None,
        };
        match segment.and_then(|segment| segment.checked_sub(n_bases)) {
            Some(place) => {
                let variant = self.variants.describe(plan.members[place].0);
                Error::Variant { variant, source: Box::new(error) }
            }
            None => error,
        }
    }

    /// The logits of some segments at their scored positions, one segment after the other.
    fn unembed(
        &self,
        residual: &Tensor,
        ids: Range<usize>,
        pass: &mut Pass<'_, '_>,
        take: &mut dyn FnMut(&Segment, Rows) -> Result<()>,
    ) -> Result<(), Halt> {
        let (segments, rows) = pass.segments.only(|id| ids.contains(&id));
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
            let rows = Rows::from_shape_vec((count, d_vocab), Vec::<f64>::try_from(&rows)?);
            cut.push(rows.map_err(|_| Error::OtherLogits)?);
        }
        Ok(cut)
    }

    fn show(
        &self,
        variant: Option<usize>,
        sequence: usize,
        logits: &Rows,
        base: &Rows,
        visit: &mut Visitor<'_>,
    ) -> Result<()> {
        for (place, &position) in self.scored[sequence].iter().enumerate() {
            let (logits, base) = (logits.row(place), base.row(place));
            visit(variant, place, &Reading { logits, base, sequence, position })?;
        }
        Ok(())
    }
}
