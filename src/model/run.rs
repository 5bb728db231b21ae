//! One pass through the model.

use std::collections::BTreeSet;

use tch::Tensor;

use super::logits::SequenceLogits;
use super::unembed::Unembed;
use super::{Gpt2, Logits};
use crate::batch::Batch;
use crate::error::{Error, Result};
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
        let segments = self.segments()?;
        let scored = Scored::new(self.batch, &segments, &self.unembed)?;
        let mut dispatcher = self.dispatcher(&segments)?;
        let logits = tch::no_grad(|| self.forward(&segments, &scored, &mut dispatcher))?;
        let (ledger, activations) = dispatcher.finish()?;
        Ok(RunOutput { logits: scored.cut(&logits)?, activations, ledger })
    }

    /// Runs the model, and differentiates `scalar` of its logits with respect to every captured site.
    ///
    /// The gradients are looked up like the activations, and have their shapes. Attribution patching
    /// (Nanda 2023) is the sum over channels of `(other - activation) · gradient`: one backward pass in
    /// place of a grid of patched runs.
    ///
    /// # Errors
    /// Those of [`execute`](Self::execute), whatever `scalar` fails with,
    /// [`NotAScalar`](crate::Error::NotAScalar) for more than one number, and
    /// [`ForkAndNorm`](crate::Error::ForkAndNorm) for captures that go round one another.
    ///
    /// ```
    /// # use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, Result, hook::Site};
    /// # fn main() -> Result<()> {
    /// # let checkpoint = Checkpoint::bundled()?;
    /// # let (model, _) = Gpt2::load(&checkpoint, Precision::F32, tch::Device::Cpu)?;
    /// # let batch = Batch::single(checkpoint.tokenizer()?.encode("It was the best of")?)?;
    /// let site = Site::resid_post(4);
    /// let (output, gradients) = model.run(&batch).capture([site]).differentiate(|logits| {
    ///     let last = logits.tensor(0)?.f_get(-1)?;
    ///     Ok(last.f_log_softmax(-1, last.kind())?.f_get(2685)?)
    /// })?;
    /// assert_eq!(gradients.get(site, 0)?.size(), output.activations.get(site, 0)?.size());
    /// # Ok(())
    /// # }
    /// ```
    pub fn differentiate(
        self,
        scalar: impl FnOnce(&Logits) -> Result<Tensor>,
    ) -> Result<(RunOutput, Activations)> {
        let segments = self.segments()?;
        let scored = Scored::new(self.batch, &segments, &self.unembed)?;
        let mut dispatcher = self.dispatcher(&segments)?;
        dispatcher.track()?;
        // The caller may stand inside a no_grad guard, where every gradient would silently be zero.
        let (logits, scalar) = tch::with_grad(|| -> Result<_> {
            let logits = self.forward(&segments, &scored, &mut dispatcher)?;
            let scalar = scalar(&scored.cut(&logits)?)?;
            Ok((logits, scalar))
        })?;
        if scalar.numel() != 1 {
            return Err(Error::NotAScalar { given: scalar.size() });
        }
        let gradients = dispatcher.gradients(&scalar)?;
        let (ledger, activations) = dispatcher.finish()?;
        let logits = scored.cut(&logits.f_detach()?)?;
        Ok((RunOutput { logits, activations, ledger }, gradients))
    }

    fn segments(&self) -> Result<Segments> {
        self.batch.check(&self.model.config)?;
        Ok(Segments::new(self.batch))
    }

    fn dispatcher<'s>(&'s self, segments: &'s Segments) -> Result<Dispatcher<'s>> {
        let Self { model, hooks, capture, .. } = self;
        let form = (model.precision.kind(), model.device);
        let mut dispatcher = Dispatcher::new(&model.config, segments, *hooks, capture, form)?;
        if self.check_finite {
            dispatcher.check_finite();
        }
        Ok(dispatcher)
    }

    /// The logits of the scored rows, `[rows, d_vocab]`.
    fn forward(
        &self,
        segments: &Segments,
        scored: &Scored,
        hooks: &mut Dispatcher<'_>,
    ) -> Result<Tensor> {
        let mut residual = self.model.embed.forward(self.batch, segments, hooks)?;
        for block in &self.model.blocks {
            residual = block.forward(residual, segments, hooks)?;
        }
        if Unembed::is_watched(hooks) {
            return scored.rows_of(self.model.unembed.forward(&residual, hooks)?);
        }
        self.model.unembed.forward(&scored.rows_of(residual)?, hooks)
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
    fn cut(&self, logits: &Tensor) -> Result<Logits> {
        let mut start = 0;
        let mut cut = Vec::with_capacity(self.sequences.len());
        for &(sequence, len, ref positions) in &self.sequences {
            let positions = positions.clone();
            let count = positions.len() as i64;
            let logits = logits.f_narrow(0, start, count)?;
            start += count;
            cut.push((sequence, SequenceLogits { len, positions, logits }));
        }
        cut.sort_by_key(|&(sequence, _)| sequence);
        Ok(Logits::new(cut.into_iter().map(|(_, logits)| logits).collect()))
    }
}
