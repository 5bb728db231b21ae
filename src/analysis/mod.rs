//! What logits say: pure functions on ndarray views, in f64.
//!
//! Each module knows nothing of models, tokens or tensors, and each function refuses input for
//! which its value would have no meaning.

pub mod contrast;
pub mod correlation;
mod deviations;
pub mod divergence;
pub mod entropy;
pub mod loss;
pub mod rank;
pub mod separation;
pub mod spread;
pub mod temperature;
pub mod uncertainty;

use ndarray::ArrayView1;

use crate::error::{AnalysisError, BatchError, Result};

/// Refuses an empty vector and the first value that `allowed` refuses.
fn check_values(
    statistic: &'static str,
    values: ArrayView1<'_, f64>,
    allowed: impl Fn(f64) -> bool,
) -> Result<()> {
    check_count(statistic, values.len(), 1)?;
    match values.iter().enumerate().find(|&(_, &value)| !allowed(value)) {
        Some((index, &given)) => Err(AnalysisError::BadValue { statistic, index, given }.into()),
        None => Ok(()),
    }
}

fn check_count(statistic: &'static str, given: usize, needed: usize) -> Result<()> {
    if given < needed {
        Err(AnalysisError::TooFewValues { statistic, needed, given }.into())
    } else {
        Ok(())
    }
}

/// Refuses vectors of different lengths, and ones that are not finite throughout.
fn check_pair(
    statistic: &'static str,
    first: ArrayView1<'_, f64>,
    second: ArrayView1<'_, f64>,
) -> Result<()> {
    check_lengths(statistic, first.len(), second.len())?;
    check_values(statistic, first, f64::is_finite)?;
    check_values(statistic, second, f64::is_finite)
}

fn check_lengths(statistic: &'static str, left: usize, right: usize) -> Result<()> {
    if left == right {
        return Ok(());
    }
    Err(AnalysisError::LengthMismatch { statistic, left, right }.into())
}

/// Refuses logits that give no distribution. One of -∞ bans its token; if all are, none is left.
fn check_logits(statistic: &'static str, logits: ArrayView1<'_, f64>) -> Result<()> {
    check_values(statistic, logits, |logit| logit < f64::INFINITY)?;
    if logits.iter().all(|logit| logit.is_infinite()) {
        let given = f64::NEG_INFINITY;
        return Err(AnalysisError::BadValue { statistic, index: 0, given }.into());
    }
    Ok(())
}

/// Whether the values have no spread. They are compared, not subtracted from their mean, which rounds.
fn all_equal(values: ArrayView1<'_, f64>) -> bool {
    values.iter().all(|&value| value == values[0])
}

fn check_token(token: usize, d_vocab: usize) -> Result<()> {
    if token < d_vocab {
        Ok(())
    } else {
        let given = u32::try_from(token).unwrap_or(u32::MAX);
        Err(BatchError::TokenOutOfRange { given, d_vocab }.into())
    }
}
