//! Gradients of what a run computes.

use tch::{Kind, Tensor};

use super::{Logits, Run, RunOutput};
use crate::dispatch::{Activations, Dispatcher};
use crate::error::{Result, RunError};
use crate::grad_mode::with_gradients;
use crate::hook::TensorForm;

impl Run<'_> {
    /// Runs the model, and differentiates `scalar` of its logits with respect to every captured site.
    ///
    /// The gradients are looked up like the activations, and have their shapes. Attribution patching
    /// (Nanda 2023) is the sum over channels of `(other - activation) · gradient`: one backward pass in
    /// place of a grid of patched runs.
    ///
    /// # Errors
    /// Those of [`execute`](Self::execute), whatever `scalar` fails with,
    /// [`NotAScalar`](crate::error::RunError::NotAScalar) for more than one number,
    /// [`Detached`](crate::error::RunError::Detached) for one that was not computed from what `scalar` is given, and
    /// [`NotReal`](crate::error::RunError::NotReal) for one that is not of floating point, and
    /// [`ForkRoundNorm`](crate::error::HookError::ForkRoundNorm) for captures that go round one another.
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
    ///     Ok(last.f_log_softmax(-1, last.kind())?.f_get(1597)?)
    /// })?;
    /// assert_eq!(gradients.get(site, 0)?.size(), output.activations.get(site, 0)?.size());
    /// # Ok(())
    /// # }
    /// ```
    pub fn differentiate(
        self,
        scalar: impl FnOnce(&Logits) -> Result<Tensor>,
    ) -> Result<(RunOutput, Activations)> {
        self.differentiated(|_, logits| scalar(logits))
    }

    /// The same for a number made of captured activations, or of them and the logits: how far what one layer adds
    /// points along a direction, say, by what earlier layers hold.
    ///
    /// `scalar` is given what was captured, after the edits unless it was asked for before them. A run that
    /// [stops early](Self::stop_after) or is [without logits](Self::without_logits) shows it logits of no position.
    /// The gradient with respect to a site is that of all ways on which the number depends on it: of the site itself, and
    /// of captured sites behind it.
    ///
    /// # Errors
    /// Those of [`differentiate`](Self::differentiate).
    ///
    /// ```
    /// # use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, hook::Site, tch::{Device, Kind}};
    /// # let checkpoint = Checkpoint::bundled()?;
    /// # let (model, _) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
    /// let batch = Batch::single(checkpoint.tokenizer()?.encode("It was the best of")?)?;
    /// let (early, late) = (Site::resid_post(2), Site::mlp_post(7));
    /// let run = model.run(&batch).capture([early, late]).without_logits();
    /// let (_, gradients) = run.differentiate_activations(|activations, _| {
    ///     Ok(activations.get(late, 0)?.f_get(-1)?.f_get(30)?) // neuron 30 at the last position
    /// })?;
    /// let by_position = gradients.get(early, 0)?.f_square()?.f_sum_dim_intlist(-1, false, Kind::Float)?;
    /// assert_eq!(by_position.size(), [5]);
    /// # Ok::<(), hooked_gpt2::Error>(())
    /// ```
    pub fn differentiate_activations(
        self,
        scalar: impl FnOnce(&Activations, &Logits) -> Result<Tensor>,
    ) -> Result<(RunOutput, Activations)> {
        self.differentiated(|hooks, logits| {
            let n_sequences = self.batch().sequences().len();
            scalar(&hooks.tracked(n_sequences)?, logits)
        })
    }

    fn differentiated(
        &self,
        scalar: impl FnOnce(&Dispatcher<'_>, &Logits) -> Result<Tensor>,
    ) -> Result<(RunOutput, Activations)> {
        let sequences = self.batch().sequences();
        let (segments, scored, mut dispatcher) = self.prepare()?;
        dispatcher.track()?;
        // The caller may stand inside a no_grad guard, where every gradient would silently be zero.
        let (logits, scalar) = with_gradients(|| -> Result<_> {
            let logits = self.forward(&segments, &scored, &mut dispatcher)?;
            let scalar = scalar(&dispatcher, &scored.cut(&logits, sequences)?)?;
            Ok((logits, scalar))
        })?;
        let TensorForm { size, kind, .. } = TensorForm::of(&scalar)?;
        if size.iter().any(|&len| len != 1) {
            return Err(RunError::NotAScalar { given: size }.into());
        }
        if !matches!(kind, Kind::Float | Kind::Double | Kind::Half | Kind::BFloat16) {
            return Err(RunError::NotReal { given: format!("{kind:?}") }.into());
        }
        // Logits that were set depend on nothing, and the gradients are zero indeed.
        let is_empty = logits.numel() == 0;
        if (logits.requires_grad() || is_empty) && !scalar.requires_grad() {
            return Err(RunError::Detached.into());
        }
        let gradients = dispatcher.gradients(&scalar, segments.len())?;
        let (ledger, activations, work) = dispatcher.finish()?;
        let logits = scored.cut(&logits.f_detach()?, sequences)?;
        Ok((RunOutput { logits, activations, ledger, work }, gradients))
    }
}
