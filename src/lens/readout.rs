//! Logits of some rows, and what they say.

use ndarray::Array1;
use tch::{Kind, Tensor};

use super::arrays::double;
use crate::analysis::rank::{RankedToken, top_k};
use crate::error::{AnalysisError, Result};
use crate::scalar::{numbers, scalar};

/// Logits that a lens reads, in f64.
pub(super) struct Readout {
    /// `[rows, d_vocab]`
    logits: Tensor,
    log_probs: Tensor,
}

/// The most bytes of logits, in f64, that are unembedded at once.
const AT_ONCE: usize = 1 << 23;

impl Readout {
    /// How many rows are unembedded at once.
    pub fn rows_at_once(d_vocab: usize) -> usize {
        (AT_ONCE / (d_vocab * size_of::<f64>())).max(1)
    }

    /// # Errors
    /// [`BadValue`](AnalysisError::BadValue) for logits that are not finite.
    pub fn of(logits: &Tensor) -> Result<Self> {
        let logits = double(logits)?;
        let bad = logits.f_isfinite()?.f_logical_not()?;
        if bad.f_any()?.f_int64_value(&[])? != 0 {
            let first = bad.f_nonzero()?;
            let [row, token] = [0, 1].map(|axis| first.f_int64_value(&[0, axis]));
            let (row, token) = (row?, token?);
            let given = logits.f_double_value(&[row, token])?;
            let (statistic, index) = ("the logit lens", token as usize);
            return Err(AnalysisError::BadValue { statistic, index, given }.into());
        }
        let log_probs = logits.f_log_softmax(-1, Kind::Double)?;
        Ok(Self { logits, log_probs })
    }

    /// `KL(other ‖ this)` of each row.
    ///
    /// # Shapes
    /// - other: `[rows, d_vocab]`, logits of which some may be -∞
    pub fn divergence_from(&self, other: &Tensor) -> Result<Vec<f64>> {
        let other = double(other)?.f_log_softmax(-1, Kind::Double)?;
        let probs = other.f_exp()?;
        let terms = other.f_sub(&self.log_probs)?.f_mul(&probs)?;
        let zero = scalar(0.0, &terms)?;
        let terms = terms.f_masked_fill_tensor(&probs.f_eq_tensor(&zero)?, &zero)?;
        let divergences = numbers(&terms.f_sum_dim_intlist(-1, false, Kind::Double)?)?;
        // Roundings may take it below 0.
        Ok(divergences.into_iter().map(|divergence| divergence.max(0.0)).collect())
    }

    /// Log-probability and rank of a token in each row; equal logits rank in the order of their ids.
    pub fn of_tokens(&self, tokens: &[u32]) -> Result<(Vec<f64>, Vec<f64>)> {
        let tokens: Vec<i64> = tokens.iter().map(|&token| i64::from(token)).collect();
        let tokens = Tensor::f_from_slice(&tokens)?.f_unsqueeze(-1)?;
        let log_probs = self.log_probs.f_gather(-1, &tokens, false)?;
        let of_token = self.logits.f_gather(-1, &tokens, false)?;
        let ids: Vec<i64> = (0..self.logits.size()[1]).collect();
        let is_earlier = Tensor::f_from_slice(&ids)?.f_lt_tensor(&tokens)?;
        let is_tied = self.logits.f_eq_tensor(&of_token)?;
        let is_before = self.logits.f_gt_tensor(&of_token)?;
        let is_before = is_before.f_logical_or(&is_tied.f_logical_and(&is_earlier)?)?;
        let ranks = is_before.f_sum_dim_intlist(-1, false, Kind::Double)?;
        Ok((numbers(&log_probs)?, numbers(&ranks)?))
    }

    /// The `k` most likely tokens of a row.
    pub fn top(&self, row: usize, k: usize) -> Result<Vec<RankedToken>> {
        top_k(Array1::from(numbers(&self.logits.f_get(row as i64)?)?).view(), k)
    }

    /// The logits, `[rows, d_vocab]`.
    pub fn logits(&self) -> Tensor {
        self.logits.shallow_clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::divergence::kl_divergence;
    use crate::analysis::rank::rank_of;
    use crate::error::Error;

    const ROWS: [[f64; 5]; 2] = [[0.5, 2.0, 2.0, -1.0, 2.0], [-0.0, 0.0, 3.0, 0.0, -700.0]];

    fn tensor(rows: &[[f64; 5]]) -> Tensor {
        Tensor::f_from_slice(rows.as_flattened()).unwrap().f_view([-1, 5]).unwrap()
    }

    #[test]
    fn ties_rank_in_the_order_of_their_ids() {
        let readout = Readout::of(&tensor(&ROWS)).unwrap();
        for token in 0..5 {
            let (_, ranks) = readout.of_tokens(&[token, token]).unwrap();
            for (row, rank) in ROWS.iter().zip(ranks) {
                assert_eq!(rank, rank_of(row[..].into(), token).unwrap() as f64);
            }
        }
        let top = readout.top(0, 3).unwrap();
        assert_eq!(top.iter().map(|ranked| ranked.token).collect::<Vec<_>>(), [1, 2, 4]);
    }

    #[test]
    fn a_run_may_ban_tokens_and_a_lens_may_not() {
        let (infinity, nan) = (f64::INFINITY, f64::NAN);
        let readout = Readout::of(&tensor(&ROWS)).unwrap();
        let banning = [[1.0, -infinity, 0.0, 2.0, -infinity], [-infinity, 1.0, 1.0, 1.0, 1.0]];
        let divergences = readout.divergence_from(&tensor(&banning)).unwrap();
        for ((base, row), divergence) in banning.iter().zip(&ROWS).zip(divergences) {
            let expected = kl_divergence(base[..].into(), row[..].into()).unwrap();
            assert!((divergence - expected).abs() < 1e-12);
        }
        assert_eq!(readout.divergence_from(&tensor(&ROWS)).unwrap(), [0.0, 0.0]);
        for bad in [nan, infinity, -infinity] {
            let mut rows = ROWS;
            rows[1][3] = bad;
            let error = Readout::of(&tensor(&rows)).err().unwrap();
            assert!(matches!(error, Error::Analysis(AnalysisError::BadValue { index: 3, .. })));
        }
    }
}
