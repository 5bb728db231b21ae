//! One pass through the model.

use tch::Tensor;

use super::pass::Pass;
use super::scored::Scored;
use super::{Gpt2, RunOutput};
use crate::batch::Batch;
use crate::dispatch::{Dispatcher, Intent, Registries, RunRange};
use crate::error::{Result, RunError};
use crate::grad_mode::without_gradients;
use crate::hook::{CaptureKey, CaptureSpec, HookRegistry, Positions, TensorForm, add_captures};
use crate::layout::Segments;
use crate::site::Site;

/// A run to be: what to change, what to keep, where to read the logits.
///
/// Made by [`Gpt2::run`]; nothing happens before [`execute`](Self::execute).
#[must_use = "a run does nothing before `execute`"]
pub struct Run<'a> {
    model: &'a Gpt2,
    batch: &'a Batch,
    registries: Registries<'a>,
    captures: Vec<CaptureSpec>,
    resumed: Option<(usize, &'a [Tensor])>,
    until: Option<Site>,
    wanted: Wanted,
    check_finite: bool,
    is_lenient: bool,
}

/// Which logits are asked for.
enum Wanted {
    /// All, unless the run stops before.
    All,
    At(Positions),
    None,
}

impl<'a> Run<'a> {
    pub(super) fn new(model: &'a Gpt2, batch: &'a Batch) -> Self {
        Self {
            model,
            batch,
            registries: Registries::NONE,
            captures: Vec::new(),
            resumed: None,
            until: None,
            wanted: Wanted::All,
            check_finite: false,
            is_lenient: false,
        }
    }

    /// The model that runs.
    pub fn model(&self) -> &'a Gpt2 {
        self.model
    }

    /// What it runs over.
    pub fn batch(&self) -> &'a Batch {
        self.batch
    }

    /// Intervenes with `hooks`, on every sequence that they select.
    pub fn hooks(mut self, hooks: &'a dyn HookRegistry) -> Self {
        self.registries.shared = hooks;
        self
    }

    /// Intervenes on each sequence with a registry of its own: the `i`-th of `hooks` acts on sequence
    /// `i` as if it were the only one, after the [hooks](Self::hooks) that all of them share.
    pub fn hooks_for_each(mut self, hooks: &'a [&'a dyn HookRegistry]) -> Self {
        self.registries.each = Some(hooks);
        self
    }

    /// Keeps these activations: bare [sites](Site), or [captures](crate::hook::Capture) that say more.
    pub fn capture(mut self, keys: impl IntoIterator<Item = impl CaptureKey>) -> Self {
        add_captures(&mut self.captures, keys);
        self
    }

    /// Keeps what these specifications say.
    pub(crate) fn capture_all(mut self, specs: &[CaptureSpec]) -> Self {
        self.captures.extend_from_slice(specs);
        self
    }

    /// Lets be what a sweep lets be: hooks that never fire, in a block that the only sequence skips, and
    /// logits of NaN.
    pub(crate) fn lenient(mut self) -> Self {
        self.is_lenient = true;
        self
    }

    /// Begins at block `layer`, with these residual streams entering it: one for each sequence, as
    /// captured at `resid_pre` of that layer. Nothing before it is computed. The number of layers stands for
    /// what is behind the last block, with residual streams as captured at its `resid_post`.
    ///
    /// # Shapes
    /// - residuals: `[pos, d_model]` each
    pub fn resume(mut self, layer: usize, residuals: &'a [Tensor]) -> Self {
        self.resumed = Some((layer, residuals));
        self
    }

    /// Ends after `site`: nothing that comes later is computed, and there are no logits.
    pub fn stop_after(mut self, site: Site) -> Self {
        self.until = Some(site);
        self
    }

    /// Computes logits at `positions` alone; at all of them otherwise. The run is refused if it
    /// [stops](Self::stop_after) before.
    pub fn unembed(mut self, positions: Positions) -> Self {
        self.wanted = Wanted::At(positions);
        self
    }

    /// Computes no logits, and nothing after the last site that is captured.
    pub fn without_logits(mut self) -> Self {
        self.wanted = Wanted::None;
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
    /// Before anything is computed: [`SequenceTooLong`](crate::error::BatchError::SequenceTooLong) and
    /// [`TokenOutOfRange`](crate::error::BatchError::TokenOutOfRange);
    /// [`Refused`](crate::error::HookError::Refused) and
    /// [`Refused`](crate::error::CaptureError::Refused), whose reason says what does not fit;
    /// [`SelectionError`](crate::error::SelectionError) for the positions to unembed and the ends of the run;
    /// [`ForkAndNorm`](crate::error::HookError::ForkAndNorm) and
    /// [`RegistryCount`](crate::error::HookError::RegistryCount); [`ResidualForm`](RunError::ResidualForm),
    /// [`ResidualCount`](RunError::ResidualCount), [`NothingAsked`](RunError::NothingAsked) and
    /// [`StopsBeforeLogits`](RunError::StopsBeforeLogits).
    ///
    /// On the way: [`EditFailed`](crate::error::HookError::EditFailed),
    /// [`EditResult`](crate::error::HookError::EditResult), [`NoKeyLeft`](crate::error::HookError::NoKeyLeft),
    /// [`NotANumber`](RunError::NotANumber) for logits of NaN, and on request
    /// [`NonFiniteAt`](RunError::NonFiniteAt). At the end:
    /// [`NeverFired`](crate::error::HookError::NeverFired).
    pub fn execute(self) -> Result<RunOutput> {
        let (segments, scored, mut dispatcher) = self.prepare()?;
        let logits = without_gradients(|| self.forward(&segments, &scored, &mut dispatcher))?;
        let closed = if self.is_lenient { dispatcher.close() } else { dispatcher.finish() };
        let (ledger, activations, work) = closed?;
        let logits = scored.cut(&logits, self.batch.sequences())?;
        Ok(RunOutput { logits, activations, ledger, work })
    }

    /// Checks everything that can be checked before the run.
    pub(super) fn prepare(&self) -> Result<(Segments, Scored, Dispatcher<'a>)> {
        let Self { model, batch, registries, .. } = *self;
        batch.check(&model.config)?;
        let segments = Segments::new(batch);
        let until = match (self.until, &self.wanted) {
            (None, Wanted::None) => {
                let sites = self.captures.iter().map(|spec| spec.site());
                Some(sites.max().ok_or(RunError::NothingAsked)?)
            }
            (Some(last), Wanted::At(positions)) => {
                let positions = positions.to_string();
                return Err(RunError::StopsBeforeLogits { positions, last }.into());
            }
            (until, _) => until,
        };
        let range = RunRange { from: self.resumed.map(|(layer, _)| layer), until };
        range.check(&model.config)?;
        let all = Positions::all();
        let positions = match &self.wanted {
            Wanted::At(positions) => positions,
            Wanted::All | Wanted::None => &all,
        };
        let scored = Scored::new(&segments, until.is_none().then_some(positions))?;
        let intent = Intent {
            registries,
            captures: self.captures.clone(),
            range,
            check_finite: self.check_finite,
            in_steps: false,
        };
        let form = (model.precision.kind(), model.device);
        let layouts = std::slice::from_ref(&segments);
        let dispatcher = Dispatcher::new(&model.config, layouts, intent, form)?;
        self.check_residuals()?;
        Ok((segments, scored, dispatcher))
    }

    fn check_residuals(&self) -> Result<()> {
        let Some((_, residuals)) = self.resumed else { return Ok(()) };
        let (model, sequences) = (self.model, self.batch.sequences());
        if residuals.len() != sequences.len() {
            let (given, len) = (residuals.len(), sequences.len());
            return Err(RunError::ResidualCount { given, needed: len }.into());
        }
        for (sequence, (residual, tokens)) in residuals.iter().zip(sequences).enumerate() {
            let given = TensorForm::read(residual);
            let size = vec![tokens.len() as i64, model.config.d_model as i64];
            let needed = TensorForm { size, kind: model.precision.kind(), device: model.device };
            if given.as_ref() != Ok(&needed) {
                let given = given.map_or_else(str::to_owned, |given| given.to_string());
                let needed = needed.to_string();
                return Err(RunError::ResidualForm { sequence, given, needed }.into());
            }
        }
        Ok(())
    }

    /// The logits of the scored rows, `[rows, d_vocab]`; none if the run stops before them.
    pub(super) fn forward(
        &self,
        segments: &Segments,
        scored: &Scored,
        hooks: &mut Dispatcher<'_>,
    ) -> Result<Tensor> {
        let model = self.model;
        let mut pass = Pass { segments, hooks, cache: None, layouts: None };
        let passed = match self.resumed {
            Some((layer, residuals)) => {
                model.forward_from(layer, segments.flat(residuals)?, scored, &mut pass)
            }
            None => model.forward(self.batch.sequences(), scored, &mut pass),
        };
        match passed {
            Ok(logits) => {
                if !self.is_lenient {
                    scored.check_numbers(&logits)?;
                }
                Ok(logits)
            }
            Err(interrupt) => {
                interrupt.of_run()?;
                let form = (model.precision.kind(), model.device);
                Ok(Tensor::f_empty([0, model.config.d_vocab as i64], form)?)
            }
        }
    }
}
