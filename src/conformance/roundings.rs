//! How far roundings may lead two right answers apart.
//!
//! Everything is counted in the precision's epsilon: what is a rounding shrinks with it, by nine orders of
//! magnitude from f32 to f64, and a mistake does not.

use crate::precision::Precision;

/// Roundings that fall either way grow with the square root of the number of terms. The longest sums of
/// GPT-2 XL have 6,400: the next power of two above 80.
const OF_A_SUM: f64 = 128.0;

/// A logit near 0 is a sum of terms that are not.
const SMALLEST_LOGIT: f64 = 4.0;

/// In bfloat16 ways differ only where an input of a product falls on the other side of a rounding, which moves it
/// by 2⁻⁸ of itself; but every block that follows carries that on. A random model of GPT-2 Medium's shape came
/// to a quarter of this share.
const IN_BF16: f64 = 1.0 / 64.0;

/// Of logits that were computed in another way or another order, the largest of which is `largest`.
///
/// A share of the largest one: GPT-2's logits are around -100, where a single rounding in f32 is worth
/// 8e-6. For small ones it is about the 5e-5 that the crate promises against other implementations.
pub(super) fn of_logits(precision: Precision, largest: f64) -> f64 {
    let largest = largest.max(SMALLEST_LOGIT);
    match precision {
        Precision::F32 => OF_A_SUM * f64::from(f32::EPSILON) * largest,
        Precision::F64 => OF_A_SUM * f64::EPSILON * largest,
        Precision::Bf16 => IN_BF16 * largest,
    }
}

/// Of one sum of activations, the largest of whose terms is `largest`: outlier channels are in the
/// thousands, and whatever they are summed with is rounded to their last bit.
pub(super) fn of_sum(precision: Precision, largest: f64) -> f64 {
    match precision {
        Precision::F32 => OF_A_SUM * f64::from(f32::EPSILON) * largest,
        Precision::F64 => OF_A_SUM * f64::EPSILON * largest,
        Precision::Bf16 => IN_BF16 * largest,
    }
}
