//! How far two distributions are apart, in nats.

use ndarray::ArrayView1;

use super::deviations::sum;
use super::loss::scaled_log_softmax;
use super::{check_lengths, check_logits};
use crate::error::Result;

/// The Kullback–Leibler divergence of the distribution that `logits` give from that of `base`, in nats
/// (Kullback and Leibler 1951).
///
/// ```text
/// KL(p ‖ q) = Σ_i p_i (ln p_i - ln q_i),   p = softmax(base), q = softmax(logits)
/// ```
///
/// 0 for equal distributions, never below. A probability `p_i` too small for an f64 adds nothing; a small
/// `q_i` counts in full, since its logarithm is never taken of it. Infinite where a logit of -∞ bans a token that
/// `base` gives a probability; otherwise only if it is too large for an f64, above 1.8e308.
///
/// # Shapes
/// - base, logits: `[d_vocab]`
///
/// # Errors
/// [`LengthMismatch`](crate::error::AnalysisError::LengthMismatch),
/// [`TooFewValues`](crate::error::AnalysisError::TooFewValues), and
/// [`BadValue`](crate::error::AnalysisError::BadValue) for NaN, for ∞, and where no logit is finite.
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
    check_lengths("kl_divergence", base.len(), logits.len())?;
    check_logits("kl_divergence", base)?;
    check_logits("kl_divergence", logits)?;
    // Logarithms of either sign, up to twice the largest f64: a quarter of them can be subtracted.
    const SCALE: f64 = 0.25;
    let (p, q) = (scaled_log_softmax(base, SCALE), scaled_log_softmax(logits, SCALE));
    let possible = p.iter().zip(&q).filter(|(ln_p, _)| (*ln_p / SCALE).exp() > 0.0);
    if possible.clone().any(|(_, ln_q)| ln_q.is_infinite()) {
        return Ok(f64::INFINITY);
    }
    let terms = possible.map(|(ln_p, ln_q)| (ln_p / SCALE).exp() * (ln_p - ln_q));
    // Roundings may take it below 0.
    Ok((sum(terms) / SCALE).max(0.0))
}
