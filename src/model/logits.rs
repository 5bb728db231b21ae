//! What a run says about the next token.

use ndarray::Array1;
use tch::Tensor;

use crate::analysis::loss::negative_log_likelihood;
use crate::error::{AnalysisError, BatchError, Error, Result, RunError};
use crate::hook::TensorForm;
use crate::scalar::{numbers, scalar};

/// The logits of a run, at the positions that were unembedded.
#[derive(Debug)]
pub struct Logits {
    sequences: Vec<SequenceLogits>,
}

#[derive(Debug)]
pub(super) struct SequenceLogits {
    pub tokens: Vec<u32>,
    pub positions: Vec<usize>,
    /// `[positions, d_vocab]`
    pub logits: Tensor,
}

impl Logits {
    pub(super) fn new(sequences: Vec<SequenceLogits>) -> Self {
        Self { sequences }
    }

    /// The logits of one sequence of the batch.
    ///
    /// # Shapes
    /// - result: `[positions, d_vocab]`, a row for each of [`positions`](Self::positions)
    ///
    /// # Errors
    /// [`BatchError::NoSuchSequence`].
    pub fn tensor(&self, sequence: usize) -> Result<&Tensor> {
        Ok(&self.sequence(sequence)?.logits)
    }

    /// The positions of one sequence that were unembedded.
    ///
    /// # Errors
    /// [`BatchError::NoSuchSequence`].
    pub fn positions(&self, sequence: usize) -> Result<&[usize]> {
        Ok(&self.sequence(sequence)?.positions)
    }

    /// The logits after the last token of a sequence, for [`analysis`](crate::analysis).
    ///
    /// # Shapes
    /// - result: `[d_vocab]`
    ///
    /// # Errors
    /// Those of [`at`](Self::at).
    pub fn last(&self, sequence: usize) -> Result<Array1<f64>> {
        self.at(sequence, self.sequence(sequence)?.tokens.len().saturating_sub(1))
    }

    /// The logits after the token at `position`, for [`analysis`](crate::analysis).
    ///
    /// # Shapes
    /// - result: `[d_vocab]`
    ///
    /// # Errors
    /// [`BatchError::NoSuchSequence`] and [`RunError::NotUnembedded`].
    pub fn at(&self, sequence: usize, position: usize) -> Result<Array1<f64>> {
        let SequenceLogits { positions, logits, .. } = self.sequence(sequence)?;
        let Ok(row) = positions.binary_search(&position) else {
            let (given, unembedded) = (position, positions.clone());
            return Err(RunError::NotUnembedded { given, sequence, unembedded }.into());
        };
        Ok(Array1::from(numbers(&logits.f_get(row as i64)?)?))
    }

    /// The loss of each token of a sequence given those before it, in nats: the negative log-likelihood of the token that
    /// follows each unembedded position. The last position has none that follows.
    ///
    /// # Shapes
    /// - result: `[n]`, n one less than the tokens of the sequence if all its positions were unembedded
    ///
    /// # Errors
    /// [`BatchError::NoSuchSequence`].
    ///
    /// ```
    /// # use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, tch::Device};
    /// # let checkpoint = Checkpoint::bundled()?;
    /// # let (model, _) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
    /// let text = Batch::single(checkpoint.tokenizer()?.encode("It was the best of times")?)?;
    /// let logits = model.run(&text).execute()?.logits;
    /// assert_eq!(logits.losses(0)?.len(), 5);
    /// println!("{:.3} nats a token", logits.mean_loss(0)?);
    /// # Ok::<(), hooked_gpt2::Error>(())
    /// ```
    pub fn losses(&self, sequence: usize) -> Result<Array1<f64>> {
        let SequenceLogits { tokens, positions, .. } = self.sequence(sequence)?;
        let next =
            positions.iter().filter_map(|&position| Some((position, *tokens.get(position + 1)?)));
        let losses = next.map(|(position, next)| {
            negative_log_likelihood(self.at(sequence, position)?.view(), next)
        });
        losses.collect()
    }

    /// The mean of the [losses](Self::losses) of a sequence, in nats: what `transformers` gives for `labels=input_ids`, and
    /// TransformerLens for `return_type="loss"`, of one sequence all of whose positions were unembedded.
    ///
    /// # Errors
    /// [`BatchError::NoSuchSequence`], and [`TooFewValues`](AnalysisError::TooFewValues) where nothing follows an unembedded
    /// position.
    pub fn mean_loss(&self, sequence: usize) -> Result<f64> {
        let none = AnalysisError::TooFewValues { statistic: "mean_loss", needed: 1, given: 0 };
        Ok(self.losses(sequence)?.mean().ok_or(none)?)
    }

    /// The largest difference of any logit; `None` if all are bit for bit the same.
    pub(super) fn largest_difference(&self, other: &Self) -> Result<Option<f64>> {
        let form = |logits: &Self| -> Result<Vec<_>> {
            let sequences = logits.sequences.iter();
            sequences.map(|of| Ok((of.positions.clone(), TensorForm::of(&of.logits)?))).collect()
        };
        if form(self)? != form(other)? {
            return Err(RunError::OtherLogits.into());
        }
        let mut largest: Option<f64> = None;
        for (ours, theirs) in self.sequences.iter().zip(&other.sequences) {
            if ours.positions.is_empty() || ours.logits.f_equal(&theirs.logits)? {
                continue;
            }
            let difference = ours.logits.f_sub(&theirs.logits)?.f_abs()?;
            // Infinity less itself is no difference.
            let is_equal = ours.logits.f_eq_tensor(&theirs.logits)?;
            let zero = scalar(0.0, &difference)?;
            let difference = difference.f_masked_fill_tensor(&is_equal, &zero)?.f_max()?;
            let difference = difference.f_double_value(&[])?;
            largest = Some(largest.map_or(difference, |largest| largest.max(difference)));
        }
        Ok(largest)
    }

    fn sequence(&self, given: usize) -> Result<&SequenceLogits> {
        let len = self.sequences.len();
        self.sequences.get(given).ok_or(Error::Batch(BatchError::NoSuchSequence { given, len }))
    }
}
