//! How sure a mean over prompts is: intervals, tests, and corrections for many of them.
//!
//! What is compared are paired differences, one for each prompt: the metric with the intervention less the metric
//! without it. Everything is seeded, and the same on every machine.

use ndarray::{Array1, ArrayView1};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::deviations::sum;
use super::{check_count, check_values};
use crate::error::{AnalysisError, Result};

/// A mean, and where it may lie.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Interval {
    /// The mean of the values.
    pub mean: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The percentile bootstrap interval of a mean (Efron 1979).
///
/// As many values as there are, drawn with replacement, have a mean; of `resamples` such means the interval leaves out
/// the share `(1 - level) / 2` at either end, between two of them linearly as NumPy does it. Of few values it is too
/// narrow: they show less spread than what they were drawn from. Of one value, or of equal ones, it is that value.
///
/// # Shapes
/// - values: `[n]`, one for each prompt
///
/// # Errors
/// [`TooFewValues`](AnalysisError::TooFewValues) for none, [`BadValue`](AnalysisError::BadValue) unless all are finite,
/// and [`OutOfRange`](AnalysisError::OutOfRange) for a level that does not lie between 0 and 1 and for no resamples.
///
/// ```
/// # use hooked_gpt2::analysis::uncertainty::bootstrap_mean;
/// let changes = ndarray::array![0.1, 0.3, 0.2, 0.25, 0.15];
/// let interval = bootstrap_mean(changes.view(), 0.95, 10_000, 0)?;
/// assert!(interval.low > 0.1 && interval.high < 0.3);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
pub fn bootstrap_mean(
    values: ArrayView1<'_, f64>,
    level: f64,
    resamples: usize,
    seed: u64,
) -> Result<Interval> {
    const NAME: &str = "bootstrap_mean";
    check_values(NAME, values, f64::is_finite)?;
    if !(level > 0.0 && level < 1.0) {
        let what = "the level of an interval";
        return Err(
            AnalysisError::OutOfRange { what, given: level, allowed: "between 0 and 1" }.into()
        );
    }
    check_resamples(resamples)?;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let n = values.len();
    let mut means: Vec<f64> = (0..resamples)
        .map(|_| mean((0..n).map(|_| values[random.random_range(0..n)]), n))
        .collect();
    means.sort_by(f64::total_cmp);
    let outside = (1.0 - level) / 2.0;
    let (low, high) = (quantile(&means, outside), quantile(&means, 1.0 - outside));
    Ok(Interval { mean: mean(values.iter().copied(), n), low, high })
}

/// The two-sided p-value of a sign-flip test: how often a mean at least as far from 0 comes about when each difference
/// has either sign by chance (Fisher 1935).
///
/// It supposes nothing but that the differences are symmetric about 0 where there is no effect. Exact where all
/// `2^n` signs are no more than `resamples`; otherwise `(1 + hits) / (1 + resamples)` of so many drawn signs, which is
/// never 0 (Phipson and Smyth 2010). With n prompts no p-value is below `2 / 2^n`.
///
/// # Shapes
/// - differences: `[n]`, one for each prompt
///
/// # Errors
/// [`TooFewValues`](AnalysisError::TooFewValues) for none, [`BadValue`](AnalysisError::BadValue) unless all are finite,
/// and [`OutOfRange`](AnalysisError::OutOfRange) for no resamples.
///
/// ```
/// # use hooked_gpt2::analysis::uncertainty::sign_flip_p_value;
/// let changes = ndarray::array![0.1, 0.3, 0.2, 0.25, 0.15];
/// assert_eq!(sign_flip_p_value(changes.view(), 10_000, 0)?, 2.0 / 32.0);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[doc(alias = "permutation_test")]
pub fn sign_flip_p_value(
    differences: ArrayView1<'_, f64>,
    resamples: usize,
    seed: u64,
) -> Result<f64> {
    const NAME: &str = "sign_flip_p_value";
    check_values(NAME, differences, f64::is_finite)?;
    check_resamples(resamples)?;
    let n = differences.len();
    // Means, so that sums of the largest are in range.
    let shares: Vec<f64> = differences.iter().map(|difference| difference / n as f64).collect();
    let size = sum(shares.iter().map(|share| share.abs()));
    // Signs that give the same mean up to roundings are as far.
    let far = sum(shares.iter().copied()).abs() - 1e-12 * size;
    let is_far = |is_flipped: &mut dyn FnMut(usize) -> bool| {
        let flipped = shares.iter().enumerate().map(|(i, &x)| if is_flipped(i) { -x } else { x });
        sum(flipped).abs() >= far
    };
    let all = u32::try_from(n).ok().and_then(|n| 1_usize.checked_shl(n)).filter(|&all| all > 1);
    if let Some(all) = all.filter(|&all| all <= resamples) {
        let hits = (0..all).filter(|signs| is_far(&mut |i| signs >> i & 1 == 1)).count();
        return Ok(hits as f64 / all as f64);
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let hits = (0..resamples).filter(|_| is_far(&mut |_| random.random())).count();
    Ok((1 + hits) as f64 / (1.0 + resamples as f64))
}

/// P-values corrected so that a false one among all those called significant is unlikely (Holm 1979).
///
/// Of m p-values in increasing order, the i-th becomes the largest of `(m - j + 1) · p_j` up to it, at most 1: to be
/// compared with the level that a single one would be. No independence is supposed.
///
/// # Shapes
/// - p_values, result: `[m]`
///
/// # Errors
/// [`TooFewValues`](AnalysisError::TooFewValues) for none, and [`OutOfRange`](AnalysisError::OutOfRange) unless all
/// are 0 to 1.
///
/// ```
/// # use hooked_gpt2::analysis::uncertainty::holm;
/// assert_eq!(holm(ndarray::array![0.01, 0.04, 0.5].view())?, ndarray::array![0.03, 0.08, 0.5]);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
pub fn holm(p_values: ArrayView1<'_, f64>) -> Result<Array1<f64>> {
    let order = increasing("holm", p_values)?;
    let (m, mut adjusted, mut largest) = (order.len(), Array1::zeros(order.len()), 0.0_f64);
    for (before, index) in order.into_iter().enumerate() {
        largest = largest.max((m - before) as f64 * p_values[index]).min(1.0);
        adjusted[index] = largest;
    }
    Ok(adjusted)
}

/// P-values corrected so that among those called significant only so large a share is expected to be false (Benjamini
/// and Hochberg 1995): the false discovery rate.
///
/// Of m p-values in increasing order, the i-th becomes the smallest of `m / j · p_j` from it on, at most 1. Holds for
/// tests that are independent or positively dependent.
///
/// # Shapes
/// - p_values, result: `[m]`
///
/// # Errors
/// Those of [`holm`].
///
/// ```
/// # use hooked_gpt2::analysis::uncertainty::benjamini_hochberg;
/// let adjusted = benjamini_hochberg(ndarray::array![0.01, 0.5, 0.02].view())?;
/// assert_eq!(adjusted, ndarray::array![0.03, 0.5, 0.03]);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[doc(alias = "false_discovery_rate")]
pub fn benjamini_hochberg(p_values: ArrayView1<'_, f64>) -> Result<Array1<f64>> {
    let order = increasing("benjamini_hochberg", p_values)?;
    let (m, mut adjusted, mut smallest) = (order.len(), Array1::zeros(order.len()), 1.0_f64);
    for (before, index) in order.into_iter().enumerate().rev() {
        smallest = smallest.min(m as f64 / (before + 1) as f64 * p_values[index]);
        adjusted[index] = smallest;
    }
    Ok(adjusted)
}

/// The indices of p-values in increasing order.
fn increasing(statistic: &'static str, p_values: ArrayView1<'_, f64>) -> Result<Vec<usize>> {
    check_count(statistic, p_values.len(), 1)?;
    if let Some(&given) = p_values.iter().find(|p_value| !(0.0..=1.0).contains(*p_value)) {
        return Err(
            AnalysisError::OutOfRange { what: "a p-value", given, allowed: "0 to 1" }.into()
        );
    }
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    Ok(order)
}

fn check_resamples(resamples: usize) -> Result<()> {
    if resamples == 0 {
        let what = "the number of resamples";
        return Err(AnalysisError::OutOfRange { what, given: 0.0, allowed: "1 and more" }.into());
    }
    Ok(())
}

/// Divided one by one: the sum may be out of range where the mean is not.
fn mean(values: impl Iterator<Item = f64>, n: usize) -> f64 {
    sum(values.map(|value| value / n as f64))
}

/// The value below which a share of sorted values lies, linear between two of them.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    let part = at.fract();
    below * (1.0 - part) + above * part
}
