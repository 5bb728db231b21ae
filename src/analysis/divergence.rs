//! How far two distributions are apart, in nats.

use std::f64::consts::LN_2;

use ndarray::{Array1, ArrayView1};

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
    Ok(of_log_probs(&p, &q, SCALE))
}

/// The same of log-probabilities, all times `scale`.
pub(super) fn of_log_probs(p: &Array1<f64>, q: &Array1<f64>, scale: f64) -> f64 {
    let possible = p.iter().zip(q).filter(|(ln_p, _)| (*ln_p / scale).exp() > 0.0);
    if possible.clone().any(|(_, ln_q)| ln_q.is_infinite()) {
        return f64::INFINITY;
    }
    let terms = possible.map(|(ln_p, ln_q)| (ln_p / scale).exp() * (ln_p - ln_q));
    // Roundings may take it below 0.
    (sum(terms) / scale).max(0.0)
}

/// The Jensen–Shannon divergence of the distributions that two vectors of logits give, in nats (Lin 1991).
///
/// ```text
/// JS(p, q) = ½ KL(p ‖ m) + ½ KL(q ‖ m),   m = ½ (p + q),   p = softmax(x), q = softmax(y)
/// ```
///
/// Symmetric, 0 for equal distributions and ln 2 for those that share no token; right to its last digits however
/// near 0. Its root is a distance (Endres and Schindelin 2003), and what SciPy's `jensenshannon` gives.
///
/// # Shapes
/// - x, y: `[d_vocab]`
///
/// # Errors
/// Those of [`kl_divergence`].
///
/// ```
/// # use hooked_gpt2::analysis::divergence::jensen_shannon_divergence;
/// let (x, y) = (ndarray::array![0.0, f64::NEG_INFINITY], ndarray::array![f64::NEG_INFINITY, 0.0]);
/// assert_eq!(jensen_shannon_divergence(x.view(), y.view())?, 2.0_f64.ln());
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
pub fn jensen_shannon_divergence(x: ArrayView1<'_, f64>, y: ArrayView1<'_, f64>) -> Result<f64> {
    let pairs = log_prob_pairs("jensen_shannon_divergence", x, y)?;
    // With d = ½ (ln q - ln p), p and q are m (1 ∓ tanh d), and a token adds m (d tanh d - ln cosh d): nothing of
    // either sign is added up, so that nothing is lost near 0.
    let terms = pairs.map(|(ln_p, ln_q)| {
        let mean = (ln_p.exp() + ln_q.exp()) / 2.0;
        let d = ((ln_q - ln_p) / 2.0).abs();
        mean * if d < 1.0 {
            let ln_cosh = (2.0 * (d / 2.0).sinh().powi(2)).ln_1p();
            d * d.tanh() - ln_cosh
        } else {
            // 1 - tanh d = 2 / (e^(2d) + 1), and a d that is infinite adds ln 2.
            let rest = if d < 400.0 { 2.0 * d / ((2.0 * d).exp() + 1.0) } else { 0.0 };
            LN_2 - rest - (-2.0 * d).exp().ln_1p()
        }
    });
    Ok(sum(terms).clamp(0.0, LN_2))
}

/// The total variation distance of the distributions that two vectors of logits give: the most by which they differ
/// in the probability of any set of tokens.
///
/// ```text
/// TV(p, q) = ½ Σ_i |p_i - q_i|,   p = softmax(x), q = softmax(y)
/// ```
///
/// Symmetric, 0 for equal distributions and 1 for those that share no token.
///
/// # Shapes
/// - x, y: `[d_vocab]`
///
/// # Errors
/// Those of [`kl_divergence`].
///
/// ```
/// # use hooked_gpt2::analysis::divergence::total_variation;
/// let (x, y) = (ndarray::array![0.0, 0.0], ndarray::array![3.0_f64.ln(), 0.0]);
/// assert!((total_variation(x.view(), y.view())? - 0.25).abs() < 1e-15);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
pub fn total_variation(x: ArrayView1<'_, f64>, y: ArrayView1<'_, f64>) -> Result<f64> {
    let pairs = log_prob_pairs("total_variation", x, y)?;
    // |p - q| = larger · (1 - e^-|ln q - ln p|).
    let terms = pairs.map(|(ln_p, ln_q)| ln_p.max(ln_q).exp() * -(-(ln_q - ln_p).abs()).exp_m1());
    Ok((sum(terms) / 2.0).min(1.0))
}

/// The log-probabilities of each token that either distribution gives one.
fn log_prob_pairs(
    statistic: &'static str,
    x: ArrayView1<'_, f64>,
    y: ArrayView1<'_, f64>,
) -> Result<impl Iterator<Item = (f64, f64)>> {
    check_lengths(statistic, x.len(), y.len())?;
    check_logits(statistic, x)?;
    check_logits(statistic, y)?;
    let (p, q) = (scaled_log_softmax(x, 1.0), scaled_log_softmax(y, 1.0));
    Ok(p.into_iter().zip(q).filter(|&(ln_p, ln_q)| ln_p.is_finite() || ln_q.is_finite()))
}
