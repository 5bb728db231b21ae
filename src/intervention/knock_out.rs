//! Attention edges cut.

use tch::Tensor;

use crate::error::Result;
use crate::hook::{Edit, Part};
use crate::scalar::scalar;

/// Sets attention scores to negative infinity: the selected queries no longer attend to the selected
/// keys, and what they attended there goes to the other keys (Geva et al., "Dissecting Recall of
/// Factual Associations", 2023).
///
/// A query that is left with no key at all fails the run, with
/// [`NoKeyLeft`](crate::error::HookError::NoKeyLeft): its pattern would be 0/0.
#[derive(Debug)]
pub(super) struct KnockOut;

impl Edit for KnockOut {
    fn hides_keys(&self) -> bool {
        true
    }

    fn overwrites(&self) -> bool {
        true
    }

    fn apply(&self, selected: &Tensor, _part: &Part<'_>) -> Result<Tensor> {
        Ok(selected.f_zeros_like()?.f_add(&scalar(f64::NEG_INFINITY, selected)?)?)
    }
}
