//! What correlation does not see: how far logits moved and how much they shrank.

use ndarray::ArrayView1;

use super::check_pair;
use crate::error::{AnalysisError, Result};

/// The mean of `scaled - clean`: the part of a change that softmax does not see.
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
    Ok((&scaled - &clean).mapv(|shift| shift / clean.len() as f64).sum())
}

/// The standard deviation of `scaled` over that of `clean`, both over the whole population.
///
/// Below 1 the logits shrank towards their mean, as under a higher softmax temperature; above 1
/// they spread, as under a lower one.
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
    if clean.iter().all(|&value| value == clean[0]) {
        return Err(AnalysisError::ZeroVariance { statistic: "std_ratio", which: "first" }.into());
    }
    let ((clean_unit, clean_std), (scaled_unit, scaled_std)) =
        (std_in_units(clean), std_in_units(scaled));
    Ok(scaled_std / clean_std * (scaled_unit / clean_unit))
}

/// The largest magnitude, and the standard deviation as a multiple of it: the squares of huge or
/// minute values would leave the range of an f64.
fn std_in_units(values: ArrayView1<'_, f64>) -> (f64, f64) {
    let largest = values.fold(0.0_f64, |largest, value| largest.max(value.abs()));
    if largest == 0.0 {
        return (1.0, 0.0);
    }
    (largest, values.mapv(|value| value / largest).std(0.0))
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
