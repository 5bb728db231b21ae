//! How well one number tells two groups apart.

use ndarray::ArrayView1;

use super::deviations::{Deviations, sum};
use super::{all_equal, check_count, check_values};
use crate::error::{AnalysisError, Result};

/// The mean and the spread of one group.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Group {
    /// How many values there are.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, with the divisor `count - 1`; `None` of a single value.
    pub std: Option<f64>,
}

/// Two groups, and how far they are apart.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Separation {
    /// The group that is to be higher.
    pub high: Group,
    /// The group that is to be lower.
    pub low: Group,
    /// [`d_prime`]; `None` where a group has a single value or neither has any spread.
    pub d_prime: Option<f64>,
    /// [`auroc`].
    pub auroc: f64,
}

impl Separation {
    /// Describes two groups.
    ///
    /// # Shapes
    /// - high, low: `[n]` and `[m]`
    ///
    /// # Errors
    /// [`TooFewValues`](AnalysisError::TooFewValues) for none, and [`BadValue`](AnalysisError::BadValue) unless all are
    /// finite.
    pub fn of(high: ArrayView1<'_, f64>, low: ArrayView1<'_, f64>) -> Result<Self> {
        let auroc = auroc(high, low)?;
        let d_prime = match d_prime(high, low) {
            Ok(d_prime) => Some(d_prime),
            Err(crate::Error::Analysis(
                AnalysisError::TooFewValues { .. } | AnalysisError::ZeroVariance { .. },
            )) => None,
            Err(error) => return Err(error),
        };
        let group = |values: ArrayView1<'_, f64>| Group {
            count: values.len(),
            mean: mean(values),
            std: (values.len() > 1).then(|| std(values)),
        };
        Ok(Self { high: group(high), low: group(low), d_prime, auroc })
    }
}

/// The distance of two means in standard deviations, d′ (Green and Swets 1966; for unequal spreads d_a, Macmillan and
/// Creelman 2005).
///
/// ```text
/// d′ = (mean(high) - mean(low)) / sqrt((var(high) + var(low)) / 2)
/// ```
///
/// with variances of the divisor `n - 1`. 0 for equal means, negative if the high group is the lower one.
///
/// # Shapes
/// - high, low: `[n]` and `[m]`
///
/// # Errors
/// [`TooFewValues`](AnalysisError::TooFewValues) for fewer than two of either, [`BadValue`](AnalysisError::BadValue) unless
/// all are finite, and [`ZeroVariance`](AnalysisError::ZeroVariance) if neither group has any spread.
///
/// ```
/// # use hooked_gpt2::analysis::separation::d_prime;
/// let d = d_prime(ndarray::array![4.0, 6.0].view(), ndarray::array![1.0, 3.0].view())?;
/// assert!((d - 3.0 / 2.0_f64.sqrt()).abs() < 1e-15);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
pub fn d_prime(high: ArrayView1<'_, f64>, low: ArrayView1<'_, f64>) -> Result<f64> {
    const NAME: &str = "d_prime";
    for values in [high, low] {
        check_count(NAME, values.len(), 2)?;
        check_values(NAME, values, f64::is_finite)?;
    }
    if all_equal(high) && all_equal(low) {
        return Err(AnalysisError::ZeroVariance { statistic: NAME, which: "first" }.into());
    }
    // Halves, and roots before squares are summed: neither leaves the range that the result is in.
    let spread = (std(high) / 2.0).hypot(std(low) / 2.0);
    Ok((mean(high) / 2.0 - mean(low) / 2.0) / (spread / 2.0_f64.sqrt()))
}

/// The area under the ROC curve: how often one of the high group is above one of the low group, ties counted by half
/// (Mann and Whitney 1947; Hanley and McNeil 1982).
///
/// ```text
/// AUROC = (#{high > low} + #{high = low} / 2) / (n m)
/// ```
///
/// 1 where every high value is above every low one, 0.5 where the number tells nothing.
///
/// # Shapes
/// - high, low: `[n]` and `[m]`
///
/// # Errors
/// [`TooFewValues`](AnalysisError::TooFewValues) for none of either, and [`BadValue`](AnalysisError::BadValue) unless all
/// are finite.
///
/// ```
/// # use hooked_gpt2::analysis::separation::auroc;
/// let area = auroc(ndarray::array![2.0, 3.0].view(), ndarray::array![1.0, 2.0].view())?;
/// assert_eq!(area, 3.5 / 4.0);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[doc(alias = "mann_whitney")]
#[doc(alias = "auc")]
pub fn auroc(high: ArrayView1<'_, f64>, low: ArrayView1<'_, f64>) -> Result<f64> {
    const NAME: &str = "auroc";
    for values in [high, low] {
        check_values(NAME, values, f64::is_finite)?;
    }
    let mut sorted = low.to_vec();
    sorted.sort_by(f64::total_cmp);
    // Twice the number of pairs, so that it is whole. `total_cmp` puts -0 before 0, which are equal.
    let below = |value: f64| {
        let smaller = sorted.partition_point(|&other| other < value);
        smaller + sorted.partition_point(|&other| other <= value)
    };
    let twice: usize = high.iter().map(|&value| below(value)).sum();
    Ok(twice as f64 / (2.0 * high.len() as f64 * low.len() as f64))
}

fn mean(values: ArrayView1<'_, f64>) -> f64 {
    // Divided one by one: the sum may be out of range where the mean is not.
    let n = values.len() as f64;
    sum(values.iter().map(|value| value / n))
}

/// The standard deviation, with the divisor `n - 1`.
fn std(values: ArrayView1<'_, f64>) -> f64 {
    let deviations = Deviations::of(values);
    (deviations.dot(&deviations) / (values.len() as f64 - 1.0)).sqrt() * deviations.unit
}
