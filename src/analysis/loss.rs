//! How surprised a model is by a token: log-softmax and negative log-likelihood, in nats.

use ndarray::{Array1, ArrayView1};

use super::deviations::sum;
use super::{check_logits, check_token, check_values};
use crate::error::Result;

/// The log-probabilities that `logits` give, in nats.
///
/// ```text
/// log_softmax(x)_i = x_i - m - ln Σ_j exp(x_j - m),   m = max x
/// ```
///
/// Subtracting the maximum keeps every exponential at most 1, so any finite logits are safe. A
/// log-probability that is too small for an f64, below -1.8e308, is -∞, as that of a logit of -∞ is; one of an
/// almost certain token keeps its digits, however near 0.
///
/// # Shapes
/// - logits: `[d_vocab]`
/// - result: `[d_vocab]`
///
/// # Errors
/// [`BadValue`](crate::error::AnalysisError::BadValue) for NaN, for ∞, and where no logit is finite;
/// [`TooFewValues`](crate::error::AnalysisError::TooFewValues) for none.
///
/// ```
/// # use hooked_gpt2::analysis::loss::log_softmax;
/// let log_probs = log_softmax(ndarray::array![1000.0, 1000.0].view())?;
/// assert!((log_probs[0] - 0.5_f64.ln()).abs() < 1e-15);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
pub fn log_softmax(logits: ArrayView1<'_, f64>) -> Result<Array1<f64>> {
    check_logits("log_softmax", logits)?;
    Ok(scaled_log_softmax(logits, 1.0))
}

/// The log-probabilities times `scale`, a power of two: a quarter of them is finite whatever the
/// finite logits.
pub(super) fn scaled_log_softmax(logits: ArrayView1<'_, f64>, scale: f64) -> Array1<f64> {
    let (mut top, mut max) = (0, f64::NEG_INFINITY);
    for (token, &logit) in logits.indexed_iter() {
        if logit > max {
            (top, max) = (token, logit);
        }
    }
    // Beside the 1 of the most likely token, small exponentials of others would be lost.
    let others = logits.indexed_iter().filter(|&(token, _)| token != top);
    let log_sum = sum(others.map(|(_, logit)| (logit - max).exp())).ln_1p();
    logits.mapv(|logit| (logit * scale - max * scale) - log_sum * scale)
}

/// The negative log-likelihood of token `target`, in nats: `-log_softmax(logits)[target]`.
///
/// The same as `torch.nn.functional.cross_entropy` for one position; ∞ where that is -∞.
///
/// # Shapes
/// - logits: `[d_vocab]`
///
/// # Errors
/// [`TokenOutOfRange`](crate::error::BatchError::TokenOutOfRange), and those of [`log_softmax`].
///
/// ```
/// # use hooked_gpt2::analysis::loss::negative_log_likelihood;
/// let loss = negative_log_likelihood(ndarray::array![0.0, 3.0_f64.ln()].view(), 1)?;
/// assert!((loss - (4.0_f64 / 3.0).ln()).abs() < 1e-15);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
pub fn negative_log_likelihood(logits: ArrayView1<'_, f64>, target: u32) -> Result<f64> {
    let log_probs = log_softmax(logits)?;
    check_token(target as usize, logits.len())?;
    // `0 - x` rather than `-x`: a certain token has loss 0, not -0.
    Ok(0.0 - log_probs[target as usize])
}

/// The perplexity of a text whose tokens have these losses, in nats: `exp(mean of losses)`.
///
/// As many equally likely tokens would surprise as much on average (Jelinek et al. 1977). It is the mean over all
/// tokens that counts: the perplexity of several texts is not the mean of their perplexities. ∞ where it is too large
/// for an f64, as for a token of probability 0.
///
/// # Shapes
/// - losses: `[n]`, n ≥ 1
///
/// # Errors
/// [`TooFewValues`](crate::error::AnalysisError::TooFewValues) for none, and
/// [`BadValue`](crate::error::AnalysisError::BadValue) for NaN and for losses below 0.
///
/// ```
/// # use hooked_gpt2::analysis::loss::perplexity;
/// let losses = ndarray::array![2.0_f64.ln(), 8.0_f64.ln()];
/// assert!((perplexity(losses.view())? - 4.0).abs() < 1e-14);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
pub fn perplexity(losses: ArrayView1<'_, f64>) -> Result<f64> {
    check_values("perplexity", losses, |loss| loss >= 0.0)?;
    if losses.iter().any(|loss| loss.is_infinite()) {
        return Ok(f64::INFINITY);
    }
    // Divided one by one: the sum may be out of range where the mean is not.
    let mean = sum(losses.iter().map(|loss| loss / losses.len() as f64));
    Ok(mean.exp())
}
