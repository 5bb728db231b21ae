//! How undecided a model is: Shannon entropy, in nats.

use ndarray::ArrayView1;

use super::deviations::sum;
use super::loss::log_softmax;
use crate::error::Result;

/// The Shannon entropy of the distribution that `logits` give, in nats.
///
/// ```text
/// H = -Σ_i p_i ln p_i,   p = softmax(logits)
/// ```
///
/// 0 for a certain token, `ln d_vocab` for a uniform distribution; finite for all finite logits. A
/// probability too small for an f64 adds nothing, as the limit of `p ln p` demands.
///
/// # Shapes
/// - logits: `[d_vocab]`
///
/// # Errors
/// Those of [`log_softmax`].
///
/// ```
/// # use hooked_gpt2::analysis::entropy::entropy;
/// let uniform = entropy(ndarray::Array1::zeros(8).view())?;
/// assert!((uniform - 8.0_f64.ln()).abs() < 1e-15);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
pub fn entropy(logits: ArrayView1<'_, f64>) -> Result<f64> {
    // Infinite ones belong to a probability of 0, by which they cannot be multiplied.
    let log_probs = log_softmax(logits)?.into_iter().filter(|log_prob| log_prob.is_finite());
    Ok(sum(log_probs.map(|log_prob| -log_prob * log_prob.exp())))
}
