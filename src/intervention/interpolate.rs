//! Activations moved part of the way to others.

use tch::Tensor;

use super::number::check_range;
use super::overlay::Overlay;
use crate::error::{InterventionError, Result};
use crate::hook::{Edit, Mixing, Part, TensorForm};
use crate::scalar::scalar;

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
    /// [`NotFinite`](crate::error::InterventionError::NotFinite) for a weight of NaN or infinity, and
    /// [`NotDense`](crate::Error::NotDense). Whether the target fits is checked before each run.
    pub fn new(target: &Tensor, weight: f64) -> Result<Self> {
        if !weight.is_finite() {
            return Err(InterventionError::NotFinite { what: "the weight", given: weight }.into());
        }
        Ok(Self { target: Overlay::new(target)?, weight })
    }
}

impl Edit for Interpolate {
    fn check(&self, selected: &TensorForm, _part: &Part<'_>) -> Result<()> {
        check_range("the weight", self.weight, selected.kind)?;
        self.target.check(selected)
    }

    fn mixing(&self, part: &Part<'_>) -> Result<Mixing> {
        let mixes = self.weight != 0.0 && self.target.shows_later_keys(part)?;
        Ok(if mixes { Mixing::Always } else { Mixing::Never })
    }

    fn overwrites(&self) -> bool {
        self.weight == 1.0
    }

    fn apply(&self, selected: &Tensor, part: &Part<'_>) -> Result<Tensor> {
        let weight = scalar(self.weight, selected)?;
        Ok(selected.f_lerp_tensor(&self.target.over(selected, part)?, &weight)?)
    }
}
