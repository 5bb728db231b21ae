//! Where a token stands among all tokens.

use std::cmp::Ordering;

use ndarray::ArrayView1;

use super::loss::log_softmax;
use super::{check_count, check_token, check_values};
use crate::error::{AnalysisError, Result};

/// The 0-based rank of `token`: 0 for the most likely one.
///
/// Tokens with equal logits rank in the order of their ids, as in [`top_k`]; -0.0 equals 0.0. Unlike
/// there, logits may be infinite.
///
/// # Shapes
/// - logits: `[d_vocab]`
///
/// # Errors
/// [`TokenOutOfRange`](crate::error::BatchError::TokenOutOfRange), and [`BadValue`](crate::error::AnalysisError::BadValue) for NaN.
///
/// ```
/// # use hooked_gpt2::analysis::rank::rank_of;
/// let logits = ndarray::array![0.5, 2.0, 2.0];
/// assert_eq!(rank_of(logits.view(), 2)?, 1);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
pub fn rank_of(logits: ArrayView1<'_, f64>, token: u32) -> Result<usize> {
    check_values("rank_of", logits, |logit| !logit.is_nan())?;
    let token = token as usize;
    check_token(token, logits.len())?;
    Ok((0..logits.len()).filter(|&id| likelier(logits, id, token).is_lt()).count())
}

/// One of the most likely tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankedToken {
    /// The token id.
    pub token: u32,
    /// Its logit.
    pub logit: f64,
    /// Its log-probability, in nats.
    pub log_prob: f64,
}

/// The `k` most likely tokens, the most likely first; equal logits in the order of their ids, where
/// -0.0 equals 0.0.
///
/// # Shapes
/// - logits: `[d_vocab]`
///
/// # Errors
/// [`TopKOutOfRange`](crate::error::AnalysisError::TopKOutOfRange) unless `k` is 1 to `d_vocab`, and those of
/// [`log_softmax`].
///
/// ```
/// # use hooked_gpt2::analysis::rank::top_k;
/// let top = top_k(ndarray::array![0.5, 2.0, 2.0].view(), 2)?;
/// assert_eq!([top[0].token, top[1].token], [1, 2]);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
pub fn top_k(logits: ArrayView1<'_, f64>, k: usize) -> Result<Vec<RankedToken>> {
    check_count("top_k", logits.len(), 1)?;
    if k == 0 || k > logits.len() {
        return Err(AnalysisError::TopKOutOfRange { given: k, allowed: logits.len() }.into());
    }
    let log_probs = log_softmax(logits)?;
    let order = |a: &u32, b: &u32| likelier(logits, *a as usize, *b as usize);
    let mut ids: Vec<u32> = (0..logits.len() as u32).collect();
    // Selecting before sorting keeps a top 10 linear in the vocabulary.
    ids.select_nth_unstable_by(k - 1, order);
    ids.truncate(k);
    ids.sort_unstable_by(order);
    Ok(ids
        .into_iter()
        .map(|token| RankedToken {
            token,
            logit: logits[token as usize],
            log_prob: log_probs[token as usize],
        })
        .collect())
}

/// `Less` if token `a` ranks before token `b`.
fn likelier(logits: ArrayView1<'_, f64>, a: usize, b: usize) -> Ordering {
    by_value(logits[b], logits[a]).then(a.cmp(&b))
}

/// The order of two numbers, neither of which is NaN.
pub(super) fn by_value(a: f64, b: f64) -> Ordering {
    // Without the zeros, -0.0 would come before 0.0, to which it is equal.
    (a + 0.0).total_cmp(&(b + 0.0))
}
