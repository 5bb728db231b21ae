//! How alike two vectors of logits are: Pearson's and Spearman's coefficients.

use ndarray::{Array1, ArrayView1};

use super::rank::by_value;
use super::{check_count, check_pair};
use crate::error::{Error, Result};

/// Pearson's correlation coefficient of two vectors.
///
/// ```text
/// r = Σ (x_i - x̄)(y_i - ȳ) / sqrt(Σ (x_i - x̄)² · Σ (y_i - ȳ)²)
/// ```
///
/// Symmetric, within [-1, 1], and unchanged by a positive affine map of either vector: it says
/// whether an intervention kept the *shape* of the logits, whatever it did to their level and
/// spread. Computed in two passes, each vector's deviations divided by the largest of them, so
/// that neither a large mean nor large values spoil it.
///
/// # Shapes
/// - x, y: `[n]`, n ≥ 2
///
/// # Errors
/// [`LengthMismatch`](Error::LengthMismatch), [`TooFewValues`](Error::TooFewValues),
/// [`BadValue`](Error::BadValue) unless all values are finite, and
/// [`ZeroVariance`](Error::ZeroVariance) if all values of a vector are equal.
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
/// 1 when one vector rises whenever the other does, however unevenly.
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

fn correlate(
    statistic: &'static str,
    x: ArrayView1<'_, f64>,
    y: ArrayView1<'_, f64>,
) -> Result<f64> {
    let x = unit_deviations(statistic, "first", x)?;
    let y = unit_deviations(statistic, "second", y)?;
    // A rounding may lift the product of two unit vectors above 1.
    Ok(x.dot(&y).clamp(-1.0, 1.0))
}

/// Deviations from the mean, scaled to a vector of length 1.
fn unit_deviations(
    statistic: &'static str,
    which: &'static str,
    values: ArrayView1<'_, f64>,
) -> Result<Array1<f64>> {
    // Equal values are compared, not subtracted: their rounded mean may differ from them.
    if values.iter().all(|&value| value == values[0]) {
        return Err(Error::ZeroVariance { statistic, which });
    }
    // Scaled first: neither the sum of huge values nor the square of huge deviations overflows.
    let largest = values.fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let scaled = values.mapv(|value| value / largest);
    let mean = scaled.sum() / scaled.len() as f64;
    let deviations = scaled - mean;
    let largest = deviations.fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let deviations = deviations / largest;
    let norm = deviations.dot(&deviations).sqrt();
    Ok(deviations / norm)
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
