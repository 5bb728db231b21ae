//! Whether a change of logits is a change of temperature: "like cooling the softmax", as a number.

use ndarray::{Array1, ArrayView1};

use super::correlation::pearson;
use super::deviations::{Deviations, sum, unit};
use super::divergence::{kl_divergence, of_log_probs};
use super::loss::log_softmax;
use super::{all_equal, check_pair, check_token, check_values};
use crate::error::{AnalysisError, Result};

/// The temperature whose softmax of the clean logits comes nearest to the intervened distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct EquivalentTemperature {
    /// The temperature T. Below 1 the intervention cools the softmax and makes likely tokens likelier; above 1 it heats
    /// it. Infinite if the uniform distribution is nearest, negative if the order of the clean logits is turned round, and 0
    /// if nothing but their largest ones is likely.
    pub temperature: f64,
    /// KL(intervened ‖ clean), in nats: the whole change.
    pub change: f64,
    /// KL(intervened ‖ softmax(clean / T)), in nats: what of it no temperature explains.
    pub remaining: f64,
}

impl EquivalentTemperature {
    /// The share of the change that the temperature explains, 0 to 1: `1 - remaining / change`. None of no change.
    pub fn explained(&self) -> Option<f64> {
        (self.change > 0.0).then(|| (1.0 - self.remaining / self.change).clamp(0.0, 1.0))
    }
}

/// The temperature that an intervention is most like.
///
/// ```text
/// T = argmin_T KL(softmax(intervened) ‖ softmax(clean / T))
/// ```
///
/// The divergence is convex in 1/T, and at the minimum both distributions give the clean logits the same mean: so there
/// is one such temperature, and it is found to the last digits that the logits have. It is the maximum-likelihood
/// temperature of temperature scaling (Guo et al. 2017), for words drawn from the intervened distribution.
///
/// # Shapes
/// - clean, intervened: `[d_vocab]`
///
/// # Errors
/// [`LengthMismatch`](AnalysisError::LengthMismatch), [`TooFewValues`](AnalysisError::TooFewValues) for none,
/// [`BadValue`](AnalysisError::BadValue) unless all logits are finite, and
/// [`ZeroVariance`](AnalysisError::ZeroVariance) if all clean logits are equal: they are the same at every temperature.
///
/// ```
/// # use hooked_gpt2::analysis::temperature::equivalent_temperature;
/// let clean = ndarray::array![1.0, 3.0, 2.0];
/// let fit = equivalent_temperature(clean.view(), (&clean / 0.5 - 7.0).view())?;
/// assert!((fit.temperature - 0.5).abs() < 1e-15);
/// assert!(fit.explained() > Some(1.0 - 1e-12));
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
pub fn equivalent_temperature(
    clean: ArrayView1<'_, f64>,
    intervened: ArrayView1<'_, f64>,
) -> Result<EquivalentTemperature> {
    const NAME: &str = "equivalent_temperature";
    check_pair(NAME, clean, intervened)?;
    if all_equal(clean) {
        return Err(AnalysisError::ZeroVariance { statistic: NAME, which: "first" }.into());
    }
    let log_probs = log_softmax(intervened)?;
    let probs = log_probs.mapv(f64::exp);
    // From the largest logit where likely tokens are the clean ones, and otherwise, turned round, from the smallest.
    let mut tempered = Tempered::of(clean, 1.0);
    if tempered.mean(&probs) > tempered.uniform_mean() {
        tempered = Tempered::of(clean, -1.0);
    }
    let mean = tempered.mean(&probs);
    let coldness = tempered.coldness_of_mean(mean);
    let remaining = of_log_probs(&log_probs, &tempered.log_probs(coldness), 1.0);
    Ok(EquivalentTemperature {
        temperature: tempered.sign * (tempered.unit / coldness),
        change: kl_divergence(intervened, clean)?,
        remaining,
    })
}

/// The straight line that takes clean logits nearest to intervened ones, by least squares.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct AffineFit {
    /// What the clean logits are multiplied with: as a temperature, `1 / slope`.
    pub slope: f64,
    /// What is added to all of them, which softmax does not see. Not a number where the slope is too large for an f64.
    pub intercept: f64,
    /// The share of the intervened logits' variance that the line explains, 0 to 1: Pearson's r, squared.
    pub r_squared: f64,
    /// KL(intervened ‖ softmax(slope · clean)), in nats: what the line leaves of the change. Never less than
    /// [`equivalent_temperature`] leaves, which minds likely tokens rather than all.
    pub remaining: f64,
}

/// Fits `intervened = slope · clean + intercept`, by least squares over the vocabulary.
///
/// ```text
/// slope = Σ (x_i - x̄)(y_i - ȳ) / Σ (x_i - x̄)²,   intercept = ȳ - slope · x̄
/// ```
///
/// # Shapes
/// - clean, intervened: `[d_vocab]`, d_vocab ≥ 2
///
/// # Errors
/// Those of [`pearson`].
///
/// ```
/// # use hooked_gpt2::analysis::temperature::affine_fit;
/// let clean = ndarray::array![1.0, 3.0, 2.0];
/// let fit = affine_fit(clean.view(), (&clean * 0.5 - 7.0).view())?;
/// assert_eq!((fit.slope, fit.intercept, fit.r_squared), (0.5, -7.0, 1.0));
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
pub fn affine_fit(
    clean: ArrayView1<'_, f64>,
    intervened: ArrayView1<'_, f64>,
) -> Result<AffineFit> {
    let r = pearson(clean, intervened)?;
    let (x, y) = (Deviations::of(clean), Deviations::of(intervened));
    let slope = x.dot(&y) / x.dot(&x) * (y.unit / x.unit);
    let mean =
        |values: ArrayView1<'_, f64>| sum(values.iter().map(|value| value / values.len() as f64));
    let intercept = mean(intervened) - slope * mean(clean);
    let tempered = Tempered::of(clean, slope.signum());
    let line = tempered.log_probs(slope.abs() * tempered.unit);
    let remaining = of_log_probs(&log_softmax(intervened)?, &line, 1.0);
    Ok(AffineFit { slope, intercept, r_squared: r * r, remaining })
}

/// The negative log-likelihood of token `target` at another temperature, in nats:
/// `-log_softmax(logits / temperature)[target]`.
///
/// What of a change of loss a temperature alone would bring is the difference of this from the loss at 1.
///
/// At ∞ all tokens are equally likely; at 0 the largest logits share all, and every other token's loss is ∞; a
/// negative temperature turns the order of the logits round.
///
/// # Shapes
/// - logits: `[d_vocab]`
///
/// # Errors
/// [`TokenOutOfRange`](crate::error::BatchError::TokenOutOfRange), [`TooFewValues`](AnalysisError::TooFewValues) for
/// none, and [`BadValue`](AnalysisError::BadValue) unless all logits are finite and for a temperature of NaN.
///
/// ```
/// # use hooked_gpt2::analysis::loss::negative_log_likelihood;
/// # use hooked_gpt2::analysis::temperature::loss_at_temperature;
/// let logits = ndarray::array![0.0, 2.0];
/// let cooled = negative_log_likelihood((&logits / 0.5).view(), 1)?;
/// assert!((loss_at_temperature(logits.view(), 0.5, 1)? - cooled).abs() < 1e-15);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
pub fn loss_at_temperature(
    logits: ArrayView1<'_, f64>,
    temperature: f64,
    target: u32,
) -> Result<f64> {
    const NAME: &str = "loss_at_temperature";
    check_values(NAME, logits, f64::is_finite)?;
    check_values(NAME, ArrayView1::from(&[temperature]), |temperature| !temperature.is_nan())?;
    check_token(target as usize, logits.len())?;
    let tempered = Tempered::of(logits, temperature.signum());
    let coldness = tempered.unit / temperature.abs();
    Ok(0.0 - tempered.log_probs(coldness)[target as usize])
}

/// Logits as they lie below the largest one, whose softmax at any temperature of one sign is in range.
struct Tempered {
    /// 1, or -1 for logits that are turned round.
    sign: f64,
    /// The power of two in which the deficits are counted.
    unit: f64,
    /// The largest less each logit: none is negative, and the smallest is 0.
    deficits: Array1<f64>,
}

impl Tempered {
    fn of(logits: ArrayView1<'_, f64>, sign: f64) -> Self {
        let unit = unit(logits);
        let signed = logits.mapv(|logit| sign * (logit / unit));
        let largest = signed.fold(f64::NEG_INFINITY, |largest, &logit| largest.max(logit));
        Self { sign, unit, deficits: signed.mapv(|logit| largest - logit) }
    }

    fn mean(&self, probs: &Array1<f64>) -> f64 {
        sum(self.deficits.iter().zip(probs).map(|(deficit, prob)| deficit * prob))
    }

    fn uniform_mean(&self) -> f64 {
        sum(self.deficits.iter().copied()) / self.deficits.len() as f64
    }

    /// What each token weighs at 1/T of `coldness`, in units: 1 for the likeliest.
    fn weights(&self, coldness: f64) -> impl Iterator<Item = (f64, f64)> {
        self.deficits.iter().map(move |&deficit| {
            // At 1/0 a deficit of 0 is none all the same.
            let exponent = if deficit == 0.0 { 0.0 } else { -coldness * deficit };
            (deficit, exponent.exp())
        })
    }

    fn log_probs(&self, coldness: f64) -> Array1<f64> {
        let log_sum = sum(self.weights(coldness).map(|(_, weight)| weight)).ln();
        self.deficits.mapv(|deficit| {
            let exponent = if deficit == 0.0 { 0.0 } else { -coldness * deficit };
            exponent - log_sum
        })
    }

    /// The 1/T, in units, at which the deficits have this mean: one between 0, for the mean of all, and ∞, for 0.
    ///
    /// Newton's method on the logarithm of the mean, which falls nearly straight where the mean is small; within
    /// bounds that every step narrows.
    fn coldness_of_mean(&self, mean: f64) -> f64 {
        if mean == 0.0 {
            return f64::INFINITY;
        }
        let (mut low, mut high) = (0.0, f64::INFINITY);
        let mut coldness = self.unit.clamp(f64::MIN_POSITIVE, f64::MAX);
        for _ in 0..MOST_STEPS {
            let weights: Vec<(f64, f64)> = self.weights(coldness).collect();
            let total = sum(weights.iter().map(|(_, weight)| *weight));
            let mean_of = |value: &dyn Fn(f64) -> f64| {
                sum(weights.iter().map(|(d, w)| value(*d) * w)) / total
            };
            let first = mean_of(&|deficit| deficit);
            let second = mean_of(&|deficit| (deficit - first).powi(2));
            let too_large = (first / mean).ln();
            if too_large > 0.0 {
                low = coldness;
            } else {
                high = coldness;
            }
            let step = too_large * first / second;
            let is_narrow = high.is_finite() && high - low <= f64::EPSILON * high;
            if is_narrow || step.abs() <= f64::EPSILON * coldness {
                break;
            }
            let newton = coldness + step;
            coldness = if newton > low && newton < high {
                newton
            } else if high.is_infinite() {
                coldness * 2.0
            } else {
                low + (high - low) / 2.0
            };
        }
        coldness
    }
}

/// More than the steps that halve all numbers of an f64 down to one.
const MOST_STEPS: usize = 3000;
