//! Values added to activations.

use tch::Tensor;

use super::overlay::Overlay;
use crate::error::{Error, Result};
use crate::hook::{Edit, Part, TensorForm};

/// Adds a multiple of a tensor: `x + coefficient · vector`, steering when the vector is a direction of
/// the residual stream. Shapes fit as for [`Set`](super::Set).
#[derive(Debug)]
pub struct Add {
    pub(super) vector: Overlay,
    pub(super) coefficient: f64,
}

impl Add {
    /// Addition of `coefficient` times a copy of `vector`.
    ///
    /// # Errors
    /// [`NotFinite`](Error::NotFinite) for a coefficient of NaN or infinity. Whether the vector fits
    /// is checked before each run.
    pub fn new(vector: &Tensor, coefficient: f64) -> Result<Self> {
        if !coefficient.is_finite() {
            return Err(Error::NotFinite { what: "the coefficient", given: coefficient });
        }
        Ok(Self { vector: Overlay::new(vector)?, coefficient })
    }
}

impl Edit for Add {
    fn check(&self, selected: &TensorForm, _part: &Part<'_>) -> Result<()> {
        self.vector.check(selected)
    }

    fn apply(&self, selected: &Tensor, _part: &Part<'_>) -> Result<Tensor> {
        Ok(selected.f_add(&self.vector.over(selected)?.f_mul_scalar(self.coefficient)?)?)
    }
}
