//! Activations kept within bounds.

use tch::Tensor;

use super::number::check_range;
use crate::error::{InterventionError, Result};
use crate::hook::{Edit, Mixing, Part, TensorForm};
use crate::scalar::scalar;

/// Keeps each selected number within bounds: `min(max(x, lower), upper)`, with either or both of them.
///
/// Of attention, queries see no more keys than before: a score of negative infinity stays, and the pattern stays as it
/// is where keys are later than their queries.
///
/// ```
/// # use hooked_gpt2::{hook::At, intervention::{Clamp, Interventions}};
/// let mut hooks = Interventions::new();
/// hooks.clamp(At::mlp_post(3).neurons([17]), Clamp::at_most(2.0)?);
/// hooks.clamp(At::mlp_post(4), Clamp::between(-0.1, 3.0)?);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clamp {
    pub(super) lower: Option<f64>,
    pub(super) upper: Option<f64>,
}

const LOWER: &str = "the lower bound";
const UPPER: &str = "the upper bound";

impl Clamp {
    /// What is below `lower` becomes `lower`.
    ///
    /// # Errors
    /// [`NotFinite`](crate::error::InterventionError::NotFinite).
    pub fn at_least(lower: f64) -> Result<Self> {
        Self::new(Some(lower), None)
    }

    /// What is above `upper` becomes `upper`.
    ///
    /// # Errors
    /// [`NotFinite`](crate::error::InterventionError::NotFinite).
    pub fn at_most(upper: f64) -> Result<Self> {
        Self::new(None, Some(upper))
    }

    /// Both.
    ///
    /// # Errors
    /// [`NotFinite`](crate::error::InterventionError::NotFinite), and
    /// [`Bounds`](crate::error::InterventionError::Bounds) unless `lower` is below `upper`: what takes one value
    /// everywhere is a [`Set`](super::Set).
    pub fn between(lower: f64, upper: f64) -> Result<Self> {
        Self::new(Some(lower), Some(upper))
    }

    pub(super) fn new(lower: Option<f64>, upper: Option<f64>) -> Result<Self> {
        for (what, given) in [(LOWER, lower), (UPPER, upper)] {
            match given {
                Some(given) if !given.is_finite() => {
                    return Err(InterventionError::NotFinite { what, given }.into());
                }
                _ => {}
            }
        }
        match (lower, upper) {
            (None, None) => Err(InterventionError::NoBound.into()),
            (Some(lower), Some(upper)) if lower >= upper => {
                Err(InterventionError::Bounds { lower, upper }.into())
            }
            _ => Ok(Self { lower, upper }),
        }
    }
}

impl Edit for Clamp {
    fn check(&self, selected: &TensorForm, _part: &Part<'_>) -> Result<()> {
        for (what, given) in [(LOWER, self.lower), (UPPER, self.upper)] {
            given.map_or(Ok(()), |given| check_range(what, given, selected.kind))?;
        }
        Ok(())
    }

    fn mixing(&self, _part: &Part<'_>) -> Result<Mixing> {
        // No later key is shown.
        Ok(Mixing::Never)
    }

    fn apply(&self, selected: &Tensor, part: &Part<'_>) -> Result<Tensor> {
        let bound = |bound| -> Result<Tensor> {
            Ok(scalar(bound, selected)?.f_to_device(selected.device())?)
        };
        let mut clamped = selected.shallow_clone();
        if let Some(lower) = self.lower {
            clamped = clamped.f_clamp_min_tensor(&bound(lower)?)?;
        }
        if let Some(upper) = self.upper {
            clamped = clamped.f_clamp_max_tensor(&bound(upper)?)?;
        }
        if part.site.is_pattern()
            && let Some(later) = part.later_keys()?
        {
            clamped = selected.f_where_self(&later.f_to_device(selected.device())?, &clamped)?;
        }
        Ok(clamped)
    }
}
