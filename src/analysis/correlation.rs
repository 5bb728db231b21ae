//! How alike two vectors are: Pearson's and Spearman's coefficients, and the cosine.

use ndarray::{Array1, ArrayView1};

use super::deviations::{Deviations, sum, unit};
use super::rank::by_value;
use super::{all_equal, check_count, check_pair};
use crate::error::{AnalysisError, Result};

/// Pearson's correlation coefficient of two vectors.
///
/// ```text
/// r = Σ (x_i - x̄)(y_i - ȳ) / sqrt(Σ (x_i - x̄)² · Σ (y_i - ȳ)²)
/// ```
///
/// Symmetric, within [-1, 1], and unchanged by a positive affine map of either vector: it says
/// whether an intervention kept the *shape* of the logits, whatever it did to their level and
/// spread.
///
/// Within 1e-15 of the exact coefficient of the given values, whatever their mean and size: values
/// near 1e12 that differ by 1e-3 do as well as values near 1e308 or 1e-308, or of all sizes. What was
/// lost when such values were rounded to f64 is lost before.
///
/// # Shapes
/// - x, y: `[n]`, n ≥ 2
///
/// # Errors
/// [`LengthMismatch`](crate::error::AnalysisError::LengthMismatch), [`TooFewValues`](crate::error::AnalysisError::TooFewValues),
/// [`BadValue`](crate::error::AnalysisError::BadValue) unless all values are finite, and
/// [`ZeroVariance`](crate::error::AnalysisError::ZeroVariance) if all values of a vector are equal.
///
/// ```
/// # use hooked_gpt2::analysis::correlation::pearson;
/// let clean = ndarray::array![-1.0, 0.0, 4.0];
/// let cooled = clean.mapv(|logit| 0.6 * logit - 7.0);
/// assert!((pearson(clean.view(), cooled.view())? - 1.0_f64).abs() < 1e-15);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
pub fn pearson(x: ArrayView1<'_, f64>, y: ArrayView1<'_, f64>) -> Result<f64> {
    check_pair("pearson", x, y)?;
    check_count("pearson", x.len(), 2)?;
    correlate("pearson", x, y)
}

/// Spearman's rank correlation coefficient: Pearson's of the ranks, ties sharing their mean rank.
///
/// 1 when one vector rises whenever the other does, however unevenly. As precise as [`pearson`]; -0.0
/// and 0.0 are a tie.
///
/// # Shapes
/// - x, y: `[n]`, n ≥ 2
///
/// # Errors
/// As [`pearson`].
///
/// ```
/// # use hooked_gpt2::analysis::correlation::spearman;
/// let (depth, loss) = (ndarray::array![0.0, 1.0, 2.0], ndarray::array![1.0, 1.1, 9.0]);
/// assert!((spearman(depth.view(), loss.view())? - 1.0).abs() < 1e-15);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
pub fn spearman(x: ArrayView1<'_, f64>, y: ArrayView1<'_, f64>) -> Result<f64> {
    check_pair("spearman", x, y)?;
    check_count("spearman", x.len(), 2)?;
    correlate("spearman", mean_ranks(x).view(), mean_ranks(y).view())
}

/// The cosine of the angle between two vectors.
///
/// ```text
/// cos = Σ x_i y_i / sqrt(Σ x_i² · Σ y_i²)
/// ```
///
/// Symmetric, within [-1, 1], and unchanged when either vector is multiplied by a positive factor. Unlike [`pearson`] it
/// is not taken about the means: for activations and directions, whose origin has a meaning, rather than for logits.
/// Right to 1e-15, whatever the size of the values.
///
/// # Shapes
/// - x, y: `[n]`
///
/// # Errors
/// [`LengthMismatch`](crate::error::AnalysisError::LengthMismatch),
/// [`TooFewValues`](crate::error::AnalysisError::TooFewValues) for none,
/// [`BadValue`](crate::error::AnalysisError::BadValue) unless all values are finite, and
/// [`ZeroNorm`](crate::error::AnalysisError::ZeroNorm) for a vector of zeros.
///
/// ```
/// # use hooked_gpt2::analysis::correlation::cosine_similarity;
/// let cosine = cosine_similarity(ndarray::array![3.0, 4.0].view(), ndarray::array![0.0, 2.0].view())?;
/// assert_eq!(cosine, 0.8);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
pub fn cosine_similarity(x: ArrayView1<'_, f64>, y: ArrayView1<'_, f64>) -> Result<f64> {
    const NAME: &str = "cosine_similarity";
    check_pair(NAME, x, y)?;
    for (which, values) in [("first", x), ("second", y)] {
        if values.iter().all(|&value| value == 0.0) {
            return Err(AnalysisError::ZeroNorm { statistic: NAME, which }.into());
        }
    }
    let (x, y) = (&x / unit(x), &y / unit(y));
    let dot = |x: &Array1<f64>, y: &Array1<f64>| sum(x.iter().zip(y).map(|(x, y)| x * y));
    let cosine = dot(&x, &y) / (dot(&x, &x) * dot(&y, &y)).sqrt();
    // Roundings may lift it above that.
    Ok(cosine.clamp(-1.0, 1.0))
}

fn correlate(
    statistic: &'static str,
    x: ArrayView1<'_, f64>,
    y: ArrayView1<'_, f64>,
) -> Result<f64> {
    for (which, values) in [("first", x), ("second", y)] {
        if all_equal(values) {
            return Err(AnalysisError::ZeroVariance { statistic, which }.into());
        }
    }
    let (x, y) = (Deviations::of(x), Deviations::of(y));
    // One root of the product: of a vector with itself it gives back the sum, and an r of exactly 1.
    let r = x.dot(&y) / (x.dot(&x) * y.dot(&y)).sqrt();
    // Other roundings may lift it above that.
    Ok(r.clamp(-1.0, 1.0))
}

fn mean_ranks(values: ArrayView1<'_, f64>) -> Array1<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| by_value(values[a], values[b]));
    let mut ranks = Array1::zeros(values.len());
    let mut start = 0;
    for tied in order.chunk_by(|&a, &b| by_value(values[a], values[b]).is_eq()) {
        let mean_rank = start as f64 + (tied.len() - 1) as f64 / 2.0;
        for &index in tied {
            ranks[index] = mean_rank;
        }
        start += tied.len();
    }
    ranks
}
