//! The tokens of a run: one sequence, or several of any lengths.

use crate::config::Config;
use crate::error::{BatchError, Result};

/// One or more sequences of token ids. They may differ in length: nothing is padded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    sequences: Vec<Vec<u32>>,
    examples: Vec<u64>,
}

impl Batch {
    /// A batch of `sequences`.
    ///
    /// # Errors
    /// [`BatchError::EmptyBatch`] and [`BatchError::EmptySequence`].
    pub fn new(sequences: impl IntoIterator<Item = impl Into<Vec<u32>>>) -> Result<Self> {
        let sequences: Vec<Vec<u32>> = sequences.into_iter().map(Into::into).collect();
        if sequences.is_empty() {
            return Err(BatchError::EmptyBatch.into());
        }
        if let Some(sequence) = sequences.iter().position(Vec::is_empty) {
            return Err(BatchError::EmptySequence { sequence }.into());
        }
        let examples = (0..sequences.len() as u64).collect();
        Ok(Self { sequences, examples })
    }

    /// A batch of one sequence.
    ///
    /// # Errors
    /// [`BatchError::EmptySequence`].
    pub fn single(tokens: impl Into<Vec<u32>>) -> Result<Self> {
        Self::new([tokens])
    }

    /// Numbers the examples, from 0 otherwise. What is random in a run depends on an example's number
    /// and not on its place in a batch, so that the same examples give the same numbers however they
    /// are put into batches; and one prompt may stand in a batch twice, as two examples.
    ///
    /// ```
    /// # use hooked_gpt2::Batch;
    /// let second_half = Batch::new([[5, 6], [7, 8]])?.with_examples([2, 3])?;
    /// assert_eq!(second_half.examples(), [2, 3]);
    /// # Ok::<(), hooked_gpt2::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`BatchError::ExampleCount`] unless there is one number for each sequence.
    pub fn with_examples(mut self, examples: impl IntoIterator<Item = u64>) -> Result<Self> {
        self.examples = examples.into_iter().collect();
        if self.examples.len() == self.sequences.len() {
            return Ok(self);
        }
        Err(BatchError::ExampleCount { given: self.examples.len(), needed: self.sequences.len() }
            .into())
    }

    /// The examples' numbers, one for each sequence.
    pub fn examples(&self) -> &[u64] {
        &self.examples
    }

    /// The sequences, in the order given.
    pub fn sequences(&self) -> &[Vec<u32>] {
        &self.sequences
    }

    /// Checks that every sequence fits the model.
    ///
    /// # Errors
    /// [`BatchError::SequenceTooLong`] and [`BatchError::TokenOutOfRange`].
    pub(crate) fn check(&self, config: &Config) -> Result<()> {
        for (sequence, tokens) in self.sequences.iter().enumerate() {
            if tokens.len() > config.n_ctx {
                let (given, n_ctx) = (tokens.len(), config.n_ctx);
                return Err(BatchError::SequenceTooLong { sequence, given, n_ctx }.into());
            }
            if let Some(&given) = tokens.iter().find(|&&token| token as usize >= config.d_vocab) {
                return Err(BatchError::TokenOutOfRange { given, d_vocab: config.d_vocab }.into());
            }
        }
        Ok(())
    }
}
