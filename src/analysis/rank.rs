//! Where a token stands among all tokens.

use std::cmp::Ordering;
use std::collections::HashSet;

use ndarray::ArrayView1;

use super::deviations::sum;
use super::loss::log_softmax;
use super::{check_count, check_lengths, check_token, check_values};
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

/// The share of tokens that both vectors have among their `k` most likely ones: the Jaccard index of the two sets.
///
/// ```text
/// J = |A ∩ B| / |A ∪ B|
/// ```
///
/// 1 for the same tokens, in whatever order, and 0 if none is among both. Ties are broken as in [`top_k`].
///
/// # Shapes
/// - x, y: `[d_vocab]`
///
/// # Errors
/// [`LengthMismatch`](AnalysisError::LengthMismatch), and those of [`top_k`].
///
/// ```
/// # use hooked_gpt2::analysis::rank::top_k_overlap;
/// let (x, y) = (ndarray::array![3.0, 2.0, 1.0, 0.0], ndarray::array![3.0, 0.0, 2.0, 1.0]);
/// assert_eq!(top_k_overlap(x.view(), y.view(), 2)?, 1.0 / 3.0);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[doc(alias = "jaccard")]
pub fn top_k_overlap(x: ArrayView1<'_, f64>, y: ArrayView1<'_, f64>, k: usize) -> Result<f64> {
    check_lengths("top_k_overlap", x.len(), y.len())?;
    let tokens = |logits| -> Result<HashSet<u32>> {
        Ok(top_k(logits, k)?.into_iter().map(|ranked| ranked.token).collect())
    };
    let (first, second) = (tokens(x)?, tokens(y)?);
    let shared = first.intersection(&second).count();
    Ok(shared as f64 / (2 * k - shared) as f64)
}

/// How alike two rankings of all tokens are, the top counting most: rank-biased overlap (Webber, Moffat and Zobel
/// 2010).
///
/// ```text
/// RBO = (1 - p) Σ_(d = 1, 2, …) p^(d - 1) · |first d of x ∩ first d of y| / d
/// ```
///
/// `persistence` is p: somebody who reads down the ranking goes on to the next token with this probability, so that
/// the first `1 / (1 - p)` tokens count for most of it. 1 for equal rankings. Both rank the same tokens, so that the sum
/// is known to its end: nothing is extrapolated. Ties are broken as in [`top_k`].
///
/// # Shapes
/// - x, y: `[d_vocab]`
///
/// # Errors
/// [`LengthMismatch`](AnalysisError::LengthMismatch), [`OutOfRange`](AnalysisError::OutOfRange) unless
/// `persistence` lies between 0 and 1, and those of [`top_k`].
///
/// ```
/// # use hooked_gpt2::analysis::rank::rank_biased_overlap;
/// let (x, y) = (ndarray::array![2.0, 1.0, 0.0], ndarray::array![1.0, 2.0, 0.0]);
/// // None of the first one, all of the first two, all of the first three and so on.
/// assert!((rank_biased_overlap(x.view(), y.view(), 0.9)? - 0.9).abs() < 1e-15);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[doc(alias = "RBO")]
pub fn rank_biased_overlap(
    x: ArrayView1<'_, f64>,
    y: ArrayView1<'_, f64>,
    persistence: f64,
) -> Result<f64> {
    const NAME: &str = "rank_biased_overlap";
    check_lengths(NAME, x.len(), y.len())?;
    if !(persistence > 0.0 && persistence < 1.0) {
        let (what, given) = ("the persistence", persistence);
        return Err(AnalysisError::OutOfRange { what, given, allowed: "between 0 and 1" }.into());
    }
    let (x, y) = (top_k(x, x.len().max(1))?, top_k(y, y.len().max(1))?);
    // Whether a token was seen in one of the two so far.
    let mut seen = vec![false; x.len()];
    let (mut shared, mut weight) = (0, 1.0);
    let terms = x.iter().zip(&y).enumerate().map(|(before, (x, y))| {
        for ranked in [x, y] {
            let seen = &mut seen[ranked.token as usize];
            shared += usize::from(*seen);
            *seen = true;
        }
        let term = weight * shared as f64 / (before + 1) as f64;
        weight *= persistence;
        term
    });
    let agreement = sum(terms);
    // Behind the last token both have all of them.
    Ok((agreement * (1.0 - persistence) + weight).min(1.0))
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
