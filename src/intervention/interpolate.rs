//! Activations moved part of the way to others.

use tch::Tensor;

use super::overlay::Overlay;
use crate::error::{Error, Result};
use crate::hook::{Edit, Part, TensorForm};

/// Moves the selected activations towards a tensor: `x + weight · (target - x)`. The weight 0 changes
/// nothing, 1 is [`Set`](super::Set), and others lie on the line through both. Shapes fit as for
/// [`Set`](super::Set).
#[derive(Debug)]
pub struct Interpolate {
    pub(super) target: Overlay,
    pub(super) weight: f64,
}

impl Interpolate {
    /// Interpolation towards a copy of `target`.
    ///
    /// # Errors
    /// [`NotFinite`](Error::NotFinite) for a weight of NaN or infinity. Whether the target fits is
    /// checked before each run.
    pub fn new(target: &Tensor, weight: f64) -> Result<Self> {
        if !weight.is_finite() {
            return Err(Error::NotFinite { what: "the weight", given: weight });
        }
        Ok(Self { target: Overlay::new(target)?, weight })
    }
}

impl Edit for Interpolate {
    fn check(&self, selected: &TensorForm, _part: &Part<'_>) -> Result<()> {
        self.target.check(selected)
    }

    fn overwrites(&self) -> bool {
        self.weight == 1.0
    }

    fn apply(&self, selected: &Tensor, _part: &Part<'_>) -> Result<Tensor> {
        Ok(selected.f_lerp(&self.target.over(selected)?, self.weight)?)
    }
}
