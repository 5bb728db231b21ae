//! One pass through the model.

use std::collections::BTreeSet;

use tch::Tensor;

use super::logits::SequenceLogits;
use super::unembed::Unembed;
use super::{Gpt2, Logits};
use crate::batch::Batch;
use crate::error::Result;
use crate::hook::{Activations, Dispatcher, HookRegistry, Ledger, NoHooks, Positions, Site};
use crate::segment::Segments;

/// A run to be: what to change, what to keep, where to read the logits.
///
/// Made by [`Gpt2::run`]; nothing happens before [`execute`](Self::execute).
#[must_use = "a run does nothing before `execute`"]
pub struct Run<'a> {
    model: &'a Gpt2,
    batch: &'a Batch,
    hooks: &'a dyn HookRegistry,
    capture: BTreeSet<Site>,
    unembed: Positions,
    check_finite: bool,
}

/// What a run gives back.
#[derive(Debug)]
#[non_exhaustive]
pub struct RunOutput {
    /// The logits, at the positions that were unembedded.
    pub logits: Logits,
    /// The activations that were asked for.
    pub activations: Activations,
    /// What each hook did.
    pub ledger: Ledger,
}

impl<'a> Run<'a> {
    pub(super) fn new(model: &'a Gpt2, batch: &'a Batch) -> Self {
        let unembed = Positions::all();
        let capture = BTreeSet::new();
        Self { model, batch, hooks: &NoHooks, capture, unembed, check_finite: false }
    }

    /// Intervenes with `hooks`.
    pub fn hooks(mut self, hooks: &'a dyn HookRegistry) -> Self {
        self.hooks = hooks;
        self
    }

    /// Keeps the activations at `sites`, as they are after the edits there.
    pub fn capture(mut self, sites: impl IntoIterator<Item = Site>) -> Self {
        self.capture.extend(sites);
        self
    }

    /// Computes logits at `positions` alone; at all of them otherwise.
    pub fn unembed(mut self, positions: Positions) -> Self {
        self.unembed = positions;
        self
    }

    /// Looks for NaN and infinities on the way, and fails with the first site that has one.
    pub fn check_finite(mut self) -> Self {
        self.check_finite = true;
        self
    }

    /// Runs the model.
    ///
    /// # Errors
    /// Before anything is computed: [`SequenceTooLong`](crate::Error::SequenceTooLong),
    /// [`TokenOutOfRange`](crate::Error::TokenOutOfRange),
    /// [`LayerOutOfRange`](crate::Error::LayerOutOfRange) and
    /// [`PositionOutOfRange`](crate::Error::PositionOutOfRange) for hooks, captures and unembedded
    /// positions. On the way: [`EditFailed`](crate::Error::EditFailed),
    /// [`EditResult`](crate::Error::EditResult), [`NoKeyLeft`](crate::Error::NoKeyLeft), and on request
    /// [`NonFiniteAt`](crate::Error::NonFiniteAt). At the end:
    /// [`HookNeverFired`](crate::Error::HookNeverFired).
    pub fn execute(self) -> Result<RunOutput> {
        let Self { model, batch, hooks, capture, unembed, check_finite } = self;
        batch.check(&model.config)?;
        let segments = Segments::new(batch);
        let scored = Scored::new(batch, &segments, &unembed)?;
        let mut dispatcher = Dispatcher::new(
            &model.config,
            &segments,
            hooks,
            &capture,
            (model.precision.kind(), model.device),
        )?;
        if check_finite {
            dispatcher.check_finite();
        }
        let logits = tch::no_grad(|| -> Result<Tensor> {
            let mut residual = model.embed.forward(batch, &segments, &mut dispatcher)?;
            for block in &model.blocks {
                residual = block.forward(residual, &segments, &mut dispatcher)?;
            }
            if Unembed::is_watched(&dispatcher) {
                let logits = model.unembed.forward(&residual, &mut dispatcher)?;
                return scored.rows_of(logits);
            }
            model.unembed.forward(&scored.rows_of(residual)?, &mut dispatcher)
        })?;
        let (ledger, activations) = dispatcher.finish()?;
        Ok(RunOutput { logits: scored.cut(&logits)?, activations, ledger })
    }
}

/// Which rows of the flat state are unembedded.
struct Scored {
    /// Rows, sequence by sequence in the order of the flat state.
    rows: Vec<usize>,
    /// Sequence index, its length and its scored positions, in the same order.
    sequences: Vec<(usize, usize, Vec<usize>)>,
}

impl Scored {
    fn new(batch: &Batch, segments: &Segments, unembed: &Positions) -> Result<Self> {
        let mut scored = Self { rows: Vec::new(), sequences: Vec::new() };
        for sequence in segments.sequences_by_row() {
            let len = batch.sequences()[sequence].len();
            let positions = unembed.indices(len, sequence)?;
            let start = segments.rows_of(sequence)?.start;
            scored.rows.extend(positions.iter().map(|position| start + position));
            scored.sequences.push((sequence, len, positions));
        }
        Ok(scored)
    }

    /// The scored rows of a flat `[rows, …]` state.
    fn rows_of(&self, state: Tensor) -> Result<Tensor> {
        if self.rows.len() as i64 == state.size()[0] {
            return Ok(state);
        }
        let rows: Vec<i64> = self.rows.iter().map(|&row| row as i64).collect();
        let rows = Tensor::f_from_slice(&rows)?.f_to_device(state.device())?;
        Ok(state.f_index_select(0, &rows)?)
    }

    /// Cuts the flat logits into sequences, in the batch's order.
    fn cut(mut self, logits: &Tensor) -> Result<Logits> {
        let mut start = 0;
        let mut cut = Vec::with_capacity(self.sequences.len());
        for (sequence, len, positions) in self.sequences.drain(..) {
            let count = positions.len() as i64;
            let logits = logits.f_narrow(0, start, count)?;
            start += count;
            cut.push((sequence, SequenceLogits { len, positions, logits }));
        }
        cut.sort_by_key(|&(sequence, _)| sequence);
        Ok(Logits::new(cut.into_iter().map(|(_, logits)| logits).collect()))
    }
}
