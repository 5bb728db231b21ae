//! Values put in place of activations.

use tch::Tensor;

use super::overlay::Overlay;
use crate::error::Result;
use crate::hook::{Edit, Mixing, Part, TensorForm};

/// Replaces the selected activations by a tensor: activation patching, when it comes from another
/// run; resample ablation, when it comes from another example. A mean over reference prompts is a
/// [`MeanAblation`](super::MeanAblation).
///
/// The tensor's axes are the last ones of what is selected; those that it lacks, or that have length
/// 1, are repeated. So a `[d_model]` vector sets every selected position of `resid_post`, and a
/// `[pos, d_model]` one each to its own row.
#[derive(Debug)]
pub struct Set {
    pub(super) value: Overlay,
}

impl Set {
    /// Replacement by a copy of `value`.
    ///
    /// # Errors
    /// [`NotDense`](crate::Error::NotDense) for an undefined or sparse tensor. Whether it fits is checked before each
    /// run.
    pub fn new(value: &Tensor) -> Result<Self> {
        Ok(Self { value: Overlay::new(value)? })
    }
}

impl Edit for Set {
    fn check(&self, selected: &TensorForm, _part: &Part<'_>) -> Result<()> {
        self.value.check(selected)
    }

    fn mixing(&self, part: &Part<'_>) -> Result<Mixing> {
        let mixes = self.value.shows_later_keys(part)?;
        Ok(if mixes { Mixing::Always } else { Mixing::Never })
    }

    fn overwrites(&self) -> bool {
        true
    }

    fn apply(&self, selected: &Tensor, part: &Part<'_>) -> Result<Tensor> {
        // A copy: what a run gives back must not be the registry's own tensor.
        Ok(self.value.over(selected, part)?.f_expand_copy(selected.size(), false)?)
    }
}
