//! How far two right answers may differ, each with its reason.

use hooked_gpt2::Precision;

/// Logits against Hugging Face in f32: the promise of the README. Roundings of sums of some
/// thousand terms, in another order.
pub const F32: f64 = 5e-5;

/// The same in f64, where a bug can no longer pass for a rounding.
pub const F64: f64 = 1e-9;

/// Activations in f32, as a share of the tensor's largest value: outlier channels of the residual
/// stream are in the thousands, and one rounding there is worth 1e-4.
pub const F32_OF_LARGEST: f64 = 1e-6;

/// Correlation coefficients against exact arithmetic: the promise of their docs, some roundings.
pub const CORRELATION: f64 = 1e-15;

/// Statistics against exact arithmetic, as a share of the value: a few roundings, and up to a hundred
/// where the exponential of a number of some hundreds rounds as that number does.
pub const STATISTIC: f64 = 1e-13;

/// Losses, ranks' neighbours and correlations of whole runs in f32: what [`F32`] does to them.
pub const READING_F32: f64 = 1e-4;

/// Logits of the fused path against those of the explicit one in f32: the same sums, associated
/// otherwise.
pub const FUSED_F32: f64 = 2e-5;

/// Logits against Hugging Face with the same products rounded to bfloat16: an input that f32's own roundings
/// carry over the middle between two such numbers is off by a whole step, 1/256 of itself. Here none was, and
/// logits came within 5e-5; on another machine one may be. What is not rounded at all is 7e-3 away.
pub const BF16: f64 = 2e-3;

/// Logits against Hugging Face, by precision.
pub fn of_logits(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => F32,
        Precision::F64 => F64,
        Precision::Bf16 => BF16,
    }
}

/// Activations, the largest of which is `largest`.
pub fn of_activations(precision: Precision, largest: f64) -> f64 {
    match precision {
        Precision::F32 => F32.max(F32_OF_LARGEST * largest),
        Precision::F64 | Precision::Bf16 => of_logits(precision),
    }
}
