//! What is wrong with the tokens of a run, or with an index into them.

/// What is wrong with the tokens of a run, or with an index into them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// A run or a sweep was given no text.
    #[error("sequence {sequence} of the batch is empty, at least one token is needed")]
    EmptySequence {
        /// Its index in the batch.
        sequence: usize,
    },
    /// A batch without sequences.
    #[error("the batch is empty, at least one sequence is needed")]
    EmptyBatch,
    /// The examples of a batch were not all numbered, or too many were.
    #[error("{given} example numbers for {needed} sequences, one for each is needed")]
    ExampleCount {
        /// The numbers given.
        given: usize,
        /// The number of sequences.
        needed: usize,
    },
    /// A sequence is longer than the model's context.
    #[error("sequence {sequence} has {given} tokens, the model's context holds {n_ctx}")]
    SequenceTooLong {
        /// Its index in the batch.
        sequence: usize,
        /// Its length.
        given: usize,
        /// The longest length allowed.
        n_ctx: usize,
    },
    /// A token id outside the vocabulary.
    #[error("token {given} is not in the vocabulary, allowed: 0 to {last}", last = d_vocab.saturating_sub(1))]
    TokenOutOfRange {
        /// The token id.
        given: u32,
        /// The size of the vocabulary.
        d_vocab: usize,
    },
    /// A sequence index outside the batch.
    #[error("sequence {given} is not in the batch, which has {len}")]
    NoSuchSequence {
        /// The index.
        given: usize,
        /// The number of sequences.
        len: usize,
    },
}
