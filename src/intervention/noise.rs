//! Random numbers added to activations.

use rand_distr::{Distribution, StandardNormal, StandardUniform};
use tch::Tensor;

use super::number::check_range;
use super::random::{self, Place};
use crate::error::{InterventionError, Result};
use crate::hook::{Edit, Mixing, Part, TensorForm};
use crate::scalar::reserved;
use crate::site::{Site, SiteShape};

/// Adds random numbers: `x + e`, each `e` drawn on its own.
///
/// What is added to an element depends on the seed and on the element's example, site, position, head
/// and channel, and on nothing else: neither on how examples are put into
/// [batches](crate::Batch::with_examples) nor on what else is selected. It is drawn in f64 and rounded
/// to the run's kind. Two noises of one seed and distribution at one site add the same numbers.
///
/// Of attention, queries see no more keys than before: a score of negative infinity stays, and nothing
/// is added to the pattern where the causal mask holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    pub(super) amount: Amount,
    pub(super) seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Amount {
    Gaussian { std: f64 },
    Uniform { half_width: f64 },
}

const STD: &str = "the standard deviation of the noise";
const HALF_WIDTH: &str = "the half width of the noise";

impl Noise {
    /// Normally distributed noise of mean 0 and standard deviation `std`.
    ///
    /// # Errors
    /// [`NotFinite`](crate::error::InterventionError::NotFinite) and [`NegativeAmount`](crate::error::InterventionError::NegativeAmount).
    pub fn gaussian(std: f64, seed: u64) -> Result<Self> {
        check(STD, std)?;
        Ok(Self { amount: Amount::Gaussian { std }, seed })
    }

    /// Noise spread evenly between `-half_width` and `half_width`.
    ///
    /// # Errors
    /// [`NotFinite`](crate::error::InterventionError::NotFinite) and [`NegativeAmount`](crate::error::InterventionError::NegativeAmount).
    pub fn uniform(half_width: f64, seed: u64) -> Result<Self> {
        check(HALF_WIDTH, half_width)?;
        Ok(Self { amount: Amount::Uniform { half_width }, seed })
    }

    /// The first `len` numbers of one vector.
    fn vector(&self, site: Site, place: Place, len: usize) -> Vec<f64> {
        let mut generator = random::generator(self.seed, site, place);
        let mut draw = || match self.amount {
            Amount::Gaussian { std } => {
                let normal: f64 = StandardNormal.sample(&mut generator);
                std * normal
            }
            Amount::Uniform { half_width } => {
                let share: f64 = StandardUniform.sample(&mut generator);
                half_width * (2.0 * share - 1.0)
            }
        };
        (0..len).map(|_| draw()).collect()
    }

    /// What is added to `part`, element by element in the order of a contiguous tensor.
    fn drawn(&self, part: &Part<'_>) -> Result<Vec<f64>> {
        // Numbers of channels that are not selected are drawn too and left out, so that a selection
        // does not change those of the others.
        let len = part.last_axis.last().map_or(0, |last| last + 1);
        let is_attention = part.site.shape() == SiteShape::Attention;
        let places = random::places(part);
        let mut drawn = reserved(places.len() * part.last_axis.len())?;
        for place in places {
            let vector = self.vector(part.site, place, len);
            drawn.extend(part.last_axis.iter().map(|&channel| {
                let is_masked = is_attention && channel > place.position;
                if is_masked { 0.0 } else { vector[channel] }
            }));
        }
        Ok(drawn)
    }
}

impl Edit for Noise {
    fn check(&self, selected: &TensorForm, _part: &Part<'_>) -> Result<()> {
        let (what, given) = match self.amount {
            Amount::Gaussian { std } => (STD, std),
            Amount::Uniform { half_width } => (HALF_WIDTH, half_width),
        };
        check_range(what, given, selected.kind)
    }

    fn mixing(&self, _part: &Part<'_>) -> Result<Mixing> {
        // Nothing is added where the causal mask holds.
        Ok(Mixing::Never)
    }

    fn apply(&self, selected: &Tensor, part: &Part<'_>) -> Result<Tensor> {
        let noise = Tensor::f_from_slice(&self.drawn(part)?)?.f_view(&selected.size()[..])?;
        let noise = noise.f_to_kind(selected.f_kind()?)?.f_to_device(selected.device())?;
        Ok(selected.f_add(&noise)?)
    }
}

fn check(what: &'static str, given: f64) -> Result<()> {
    if !given.is_finite() {
        return Err(InterventionError::NotFinite { what, given }.into());
    }
    if given < 0.0 {
        return Err(InterventionError::NegativeAmount { what, given }.into());
    }
    Ok(())
}
