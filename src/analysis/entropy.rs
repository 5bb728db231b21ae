//! How undecided a model is: Shannon entropy, in nats.

use ndarray::ArrayView1;

use super::loss::log_softmax;
use crate::error::Result;

/// The Shannon entropy of the distribution that `logits` give, in nats.
///
/// ```text
/// H = -Σ_i p_i ln p_i,   p = softmax(logits)
/// ```
///
/// 0 for a certain token, `ln d_vocab` for a uniform distribution. A probability too small for an
/// f64 adds nothing, as the limit of `p ln p` demands.
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
    let log_probs = log_softmax(logits)?;
    Ok(log_probs.fold(0.0, |sum, &log_prob| sum - log_prob.exp() * log_prob))
}
