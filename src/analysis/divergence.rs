//! How far two distributions are apart, in nats.

use ndarray::{ArrayView1, Zip};

use super::check_pair;
use super::loss::log_softmax;
use crate::error::Result;

/// The Kullback–Leibler divergence of the distribution that `logits` give from that of `base`, in nats
/// (Kullback and Leibler 1951).
///
/// ```text
/// KL(p ‖ q) = Σ_i p_i (ln p_i - ln q_i),   p = softmax(base), q = softmax(logits)
/// ```
///
/// 0 for equal distributions, never below but for roundings. A probability `p_i` too small for an f64 adds
/// nothing.
///
/// # Shapes
/// - base, logits: `[d_vocab]`
///
/// # Errors
/// [`LengthMismatch`](crate::error::AnalysisError::LengthMismatch),
/// [`TooFewValues`](crate::error::AnalysisError::TooFewValues), and [`BadValue`](crate::error::AnalysisError::BadValue) for values
/// that are not finite.
///
/// ```
/// # use hooked_gpt2::analysis::divergence::kl_divergence;
/// let base = ndarray::array![0.0, 0.0];
/// let logits = ndarray::array![3.0_f64.ln(), 0.0];
/// let divergence = kl_divergence(base.view(), logits.view())?;
/// assert!((divergence - (2.0 / 3.0_f64.sqrt()).ln()).abs() < 1e-15);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
pub fn kl_divergence(base: ArrayView1<'_, f64>, logits: ArrayView1<'_, f64>) -> Result<f64> {
    check_pair("kl_divergence", base, logits)?;
    let (p, q) = (log_softmax(base)?, log_softmax(logits)?);
    Ok(Zip::from(&p).and(&q).fold(0.0, |sum, &ln_p, &ln_q| sum + ln_p.exp() * (ln_p - ln_q)))
}
