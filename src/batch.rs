//! The tokens of a run: one sequence, or several of any lengths.

use crate::config::Config;
use crate::error::{Error, Result};

/// One or more sequences of token ids. They may differ in length: nothing is padded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    sequences: Vec<Vec<u32>>,
}

impl Batch {
    /// A batch of `sequences`.
    ///
    /// # Errors
    /// [`Error::EmptyBatch`] and [`Error::EmptySequence`].
    pub fn new(sequences: impl IntoIterator<Item = impl Into<Vec<u32>>>) -> Result<Self> {
        let sequences: Vec<Vec<u32>> = sequences.into_iter().map(Into::into).collect();
        if sequences.is_empty() {
            return Err(Error::EmptyBatch);
        }
        if let Some(sequence) = sequences.iter().position(Vec::is_empty) {
            return Err(Error::EmptySequence { sequence });
        }
        Ok(Self { sequences })
    }

    /// A batch of one sequence.
    ///
    /// # Errors
    /// [`Error::EmptySequence`].
    pub fn single(tokens: impl Into<Vec<u32>>) -> Result<Self> {
        Self::new([tokens])
    }

    /// The sequences, in the order given.
    pub fn sequences(&self) -> &[Vec<u32>] {
        &self.sequences
    }

    /// Checks that every sequence fits the model.
    ///
    /// # Errors
    /// [`Error::SequenceTooLong`] and [`Error::TokenOutOfRange`].
    pub(crate) fn check(&self, config: &Config) -> Result<()> {
        for (sequence, tokens) in self.sequences.iter().enumerate() {
            if tokens.len() > config.n_ctx {
                let (given, n_ctx) = (tokens.len(), config.n_ctx);
                return Err(Error::SequenceTooLong { sequence, given, n_ctx });
            }
            if let Some(&given) = tokens.iter().find(|&&token| token as usize >= config.d_vocab) {
                return Err(Error::TokenOutOfRange { given, d_vocab: config.d_vocab });
            }
        }
        Ok(())
    }
}
