//! Values added to activations.

use tch::Tensor;

use super::number::check_range;
use super::overlay::Overlay;
use crate::error::{InterventionError, Result};
use crate::hook::{Edit, Mixing, Part, TensorForm};
use crate::scalar::scalar;

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
    /// [`NotFinite`](crate::error::InterventionError::NotFinite) for a coefficient of NaN or infinity, and
    /// [`NotDense`](crate::Error::NotDense). Whether the vector fits is checked before each run.
    pub fn new(vector: &Tensor, coefficient: f64) -> Result<Self> {
        if !coefficient.is_finite() {
            return Err(InterventionError::NotFinite {
                what: "the coefficient",
                given: coefficient,
            }
            .into());
        }
        Ok(Self { vector: Overlay::new(vector)?, coefficient })
    }
}

impl Edit for Add {
    fn check(&self, selected: &TensorForm, _part: &Part<'_>) -> Result<()> {
        check_range("the coefficient", self.coefficient, selected.kind)?;
        self.vector.check(selected)
    }

    fn mixing(&self, part: &Part<'_>) -> Result<Mixing> {
        let mixes = self.coefficient != 0.0 && self.vector.shows_later_keys(part)?;
        Ok(if mixes { Mixing::Always } else { Mixing::Never })
    }

    fn apply(&self, selected: &Tensor, part: &Part<'_>) -> Result<Tensor> {
        let coefficient = scalar(self.coefficient, selected)?;
        Ok(selected.f_add(&self.vector.over(selected, part)?.f_mul(&coefficient)?)?)
    }
}
