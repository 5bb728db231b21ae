//! How far two right answers may differ, each with its reason.

/// Logits against Hugging Face in f32: the promise of the README. Roundings of sums of some
/// thousand terms, in another order.
pub const F32: f64 = 5e-5;

/// The same in f64, where a bug can no longer pass for a rounding.
pub const F64: f64 = 1e-9;

/// Activations in f32, as a share of the tensor's largest value: outlier channels of the residual
/// stream are in the thousands, and one rounding there is worth 1e-4.
pub const F32_OF_LARGEST: f64 = 1e-6;

/// Statistics against SciPy, as a share of the value: both sum in f64, in another order.
pub const STATISTIC: f64 = 1e-11;

/// Losses, ranks' neighbours and correlations of whole runs in f32: what [`F32`] does to them.
pub const READING_F32: f64 = 1e-4;

/// Logits of the fused path against those of the explicit one in f32: the same sums, associated
/// otherwise.
pub const FUSED_F32: f64 = 2e-5;
