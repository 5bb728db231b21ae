//! Why an activation cannot be read.

/// Why an activation cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LensError {
    /// A direction was asked of what has several vectors at a position, or none.
    #[error(
        "{capture} is not one vector at each position; allowed: all sites but attn_scores, pattern and the scales of layer norms, with `heads([h])` where they have heads"
    )]
    NotAVector {
        /// What was to be captured.
        capture: String,
    },
    /// Two sets of prompts whose activations have the same mean.
    #[error(
        "both sets of prompts have the same mean activation: there is no direction from one to the other"
    )]
    NoDirection,
    /// Sets of pairs that are not equally large.
    #[error("pairs of {towards} prompts with {away_from}, as many are needed")]
    PairCount {
        /// Prompts of the first set.
        towards: usize,
        /// Prompts of the second.
        away_from: usize,
    },
    /// A pair of prompts with the same activation.
    #[error("both prompts of pair {pair} have the same activation: they differ in no direction")]
    EqualPair {
        /// Which, from 0.
        pair: usize,
    },
}
