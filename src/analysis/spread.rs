//! What correlation does not see: how far logits moved and how much they shrank.

use ndarray::ArrayView1;

use super::deviations::{Deviations, sum};
use super::{all_equal, check_pair};
use crate::error::{AnalysisError, Result};

/// The mean of `scaled - clean`: the part of a change that softmax does not see.
///
/// Summed with twice the digits of an f64: right to the last of them unless the shifts cancel to less
/// than some 1e-20 of the logits. Infinite only if it is too large for an f64.
///
/// # Shapes
/// - clean, scaled: `[d_vocab]`
///
/// # Errors
/// [`LengthMismatch`](crate::error::AnalysisError::LengthMismatch), [`TooFewValues`](crate::error::AnalysisError::TooFewValues) for none, and
/// [`BadValue`](crate::error::AnalysisError::BadValue) unless all values are finite.
///
/// ```
/// # use hooked_gpt2::analysis::spread::mean_shift;
/// let shift = mean_shift(ndarray::array![1.0, 2.0].view(), ndarray::array![0.0, 0.0].view())?;
/// assert_eq!(shift, -1.5);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
pub fn mean_shift(clean: ArrayView1<'_, f64>, scaled: ArrayView1<'_, f64>) -> Result<f64> {
    check_pair("mean_shift", clean, scaled)?;
    // Both are summed, not their differences, which would round.
    let mean = |scale: f64| {
        let terms = scaled.iter().zip(&clean).flat_map(|(to, from)| [to * scale, -from * scale]);
        sum(terms) / clean.len() as f64 / scale
    };
    let shift = mean(1.0);
    // Only sums of the largest numbers leave the range of an f64.
    Ok(if shift.is_finite() { shift } else { mean(f64::EPSILON) })
}

/// The standard deviation of `scaled` over that of `clean`, both over the whole population.
///
/// Below 1 the logits shrank towards their mean, as under a higher softmax temperature; above 1
/// they spread, as under a lower one. Right to 15 digits, whatever mean and size the values have, as
/// [`pearson`](super::correlation::pearson) is; 0 if all scaled values are equal, infinite only if it
/// is too large for an f64.
///
/// # Shapes
/// - clean, scaled: `[d_vocab]`
///
/// # Errors
/// Those of [`mean_shift`], and [`ZeroVariance`](crate::error::AnalysisError::ZeroVariance) if all clean values are equal.
///
/// ```
/// # use hooked_gpt2::analysis::spread::std_ratio;
/// let ratio = std_ratio(ndarray::array![1.0, 3.0].view(), ndarray::array![7.0, 8.0].view())?;
/// assert_eq!(ratio, 0.5);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
pub fn std_ratio(clean: ArrayView1<'_, f64>, scaled: ArrayView1<'_, f64>) -> Result<f64> {
    check_pair("std_ratio", clean, scaled)?;
    if all_equal(clean) {
        return Err(AnalysisError::ZeroVariance { statistic: "std_ratio", which: "first" }.into());
    }
    let (clean, scaled) = (Deviations::of(clean), Deviations::of(scaled));
    let in_units = (scaled.dot(&scaled) / clean.dot(&clean)).sqrt();
    // One root at a time, because the ratio of the units may leave the range that the result is in.
    let root = scaled.unit.sqrt() / clean.unit.sqrt();
    Ok(in_units * root * root)
}

/// The share of the vocabulary whose logit came nearer to zero, 0 to 1.
///
/// # Shapes
/// - clean, scaled: `[d_vocab]`
///
/// # Errors
/// Those of [`mean_shift`].
///
/// ```
/// # use hooked_gpt2::analysis::spread::share_shrunk;
/// let share = share_shrunk(ndarray::array![-9.0, 1.0].view(), ndarray::array![-5.0, 2.0].view())?;
/// assert_eq!(share, 0.5);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
pub fn share_shrunk(clean: ArrayView1<'_, f64>, scaled: ArrayView1<'_, f64>) -> Result<f64> {
    check_pair("share_shrunk", clean, scaled)?;
    let shrunk = clean.iter().zip(&scaled).filter(|(clean, scaled)| scaled.abs() < clean.abs());
    Ok(shrunk.count() as f64 / clean.len() as f64)
}
