//! Right answers against wrong ones, and how much of a difference a patch restores.

use ndarray::ArrayView1;

use super::deviations::sum;
use super::{check_count, check_token, check_values};
use crate::error::{AnalysisError, Result};

/// The logit difference: the mean logit of the right answers less that of the wrong ones (Wang et al. 2022, for one
/// of each).
///
/// ```text
/// LD = mean(logits[right]) - mean(logits[wrong])
/// ```
///
/// Of one of each it is the logarithm of their odds, and what is added to all logits does not change it.
///
/// # Shapes
/// - logits: `[d_vocab]`
///
/// # Errors
/// [`TooFewValues`](AnalysisError::TooFewValues) without a right or a wrong answer,
/// [`TokenOutOfRange`](crate::error::BatchError::TokenOutOfRange), and [`BadValue`](AnalysisError::BadValue) for
/// logits that are not finite.
///
/// ```
/// # use hooked_gpt2::analysis::contrast::logit_difference;
/// let logits = ndarray::array![1.0, 4.0, 2.0];
/// assert_eq!(logit_difference(logits.view(), &[1], &[0, 2])?, 2.5);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
pub fn logit_difference(logits: ArrayView1<'_, f64>, right: &[u32], wrong: &[u32]) -> Result<f64> {
    const NAME: &str = "logit_difference";
    check_values(NAME, logits, f64::is_finite)?;
    let mut terms = Vec::with_capacity(right.len() + wrong.len());
    for (answers, sign) in [(right, 1.0), (wrong, -1.0)] {
        check_count(NAME, answers.len(), 1)?;
        let share = sign / answers.len() as f64;
        for &answer in answers {
            check_token(answer as usize, logits.len())?;
            terms.push(logits[answer as usize] * share);
        }
    }
    Ok(sum(terms.into_iter()))
}

/// The share of the way from a corrupted to a clean run that a patched one has gone, for any metric.
///
/// ```text
/// share = (patched - corrupted) / (clean - corrupted)
/// ```
///
/// 0 where the patch did nothing, 1 where it restored the clean value; below and above where it overshot. A mean over
/// prompts is that of the differences, and then the share of means: a mean of shares gives prompts of small differences
/// the largest weights.
///
/// # Errors
/// [`NoDifference`](AnalysisError::NoDifference) where clean and corrupted value are the same, and
/// [`BadValue`](AnalysisError::BadValue) for a value that is not finite.
///
/// ```
/// # use hooked_gpt2::analysis::contrast::share_recovered;
/// assert_eq!(share_recovered(2.0, 3.0, -1.0)?, 0.75);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
pub fn share_recovered(patched: f64, clean: f64, corrupted: f64) -> Result<f64> {
    const NAME: &str = "share_recovered";
    let values = [patched, clean, corrupted];
    check_values(NAME, ArrayView1::from(&values), f64::is_finite)?;
    if clean == corrupted {
        return Err(AnalysisError::NoDifference { statistic: NAME, value: clean }.into());
    }
    // Differences of the largest are out of range, and halves of the smallest are zero.
    let scale = if values.iter().any(|value| value.abs() > 1.0) { 0.5 } else { 1.0 };
    let [patched, clean, corrupted] = values.map(|value| value * scale);
    Ok((patched - corrupted) / (clean - corrupted))
}
