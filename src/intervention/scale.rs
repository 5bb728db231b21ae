//! Multiplication by a factor.

use tch::Tensor;

use super::number::check_range;
use crate::error::{InterventionError, Result};
use crate::hook::{Edit, Mixing, Part, TensorForm};
use crate::scalar::scalar;

/// Multiplies the selected activations by a factor. The factor 0 is zero ablation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    factor: f64,
}

impl Scale {
    /// Zero ablation.
    pub const ZERO: Self = Self { factor: 0.0 };

    /// Scaling by `factor`.
    ///
    /// # Errors
    /// [`InterventionError::NotFinite`] for NaN or an infinity.
    pub fn new(factor: f64) -> Result<Self> {
        if factor.is_finite() {
            Ok(Self { factor })
        } else {
            Err(InterventionError::NotFinite { what: "the scaling factor", given: factor }.into())
        }
    }

    /// The factor.
    pub fn factor(self) -> f64 {
        self.factor
    }
}

impl Edit for Scale {
    fn check(&self, selected: &TensorForm, _part: &Part<'_>) -> Result<()> {
        check_range("the scaling factor", self.factor, selected.kind)
    }

    fn mixing(&self, _part: &Part<'_>) -> Result<Mixing> {
        // What is zero stays zero: no factor shows a later key.
        Ok(Mixing::Never)
    }

    fn overwrites(&self) -> bool {
        self.factor == 0.0
    }

    fn apply(&self, selected: &Tensor, _part: &Part<'_>) -> Result<Tensor> {
        Ok(selected.f_mul(&scalar(self.factor, selected)?)?)
    }
}
