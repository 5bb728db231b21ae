//! Why nothing is captured, or found.

use super::{Error, Listed, shown_reason};
use crate::site::Site;

/// Why nothing is captured, or found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// A capture does not fit the model or the input.
    #[error("{capture} cannot be captured: {reason}")]
    Refused {
        /// Where it was to be captured.
        site: Site,
        /// What was to be captured.
        capture: String,
        /// What does not fit.
        reason: Box<Error>,
    },
    /// An activation was looked up that the run did not capture.
    #[error("{what} was not captured of sequence {sequence}, captured of it: {captured}", captured = shown_reason(captured))]
    NotCaptured {
        /// What was looked up.
        what: String,
        /// The sequence's index in the batch.
        sequence: usize,
        /// What was captured of the sequence.
        captured: String,
    },
    /// Activations of a run that captured none were to be saved.
    #[error("nothing was captured and nothing can be saved, `capture` says what a run keeps")]
    NothingToSave,
    /// Moments of attention scores: those behind the causal mask are negative infinity.
    #[error(
        "it has no moments, being negative infinity where a query sees no key; allowed: its norm, or moments of the pattern"
    )]
    NoMoments,
    /// A mean over tokens of the attention pattern: each query has other keys.
    #[error(
        "it has no mean over tokens, because each query has keys of its own; allowed: its mean by position"
    )]
    NoMeanOverTokens,
    /// A mean by position of sequences that are not equally long.
    #[error(
        "a mean by position needs sequences of one length, given: {first} and {other} tokens; allowed for any lengths: a mean over tokens"
    )]
    UnequalLengths {
        /// The length of the first sequence.
        first: usize,
        /// That of another one.
        other: usize,
    },
    /// The number of templates is not that of the sequences.
    #[error("templates of {given} sequences for {needed}, one for each is needed")]
    TemplateCount {
        /// How many are given.
        given: usize,
        /// The number of sequences.
        needed: usize,
    },
    /// A template of no sequence, though there are ones of larger numbers.
    #[error("no sequence is of template {template}, templates are numbered from 0 without a gap")]
    EmptyTemplate {
        /// Its number.
        template: usize,
    },
    /// A mean was looked up that is not there.
    #[error("there is no mean of {site}, there is one of: {averaged}", averaged = shown_reason(averaged))]
    NoMean {
        /// The site.
        site: Site,
        /// The sites that there are means of.
        averaged: String,
    },
    /// Means of different sites, or over different things, were merged.
    #[error("means {left} and means {right} cannot be merged, both must be alike", left = shown_reason(left), right = shown_reason(right))]
    OtherMeans {
        /// Those merged into.
        left: String,
        /// Those merged.
        right: String,
    },
    /// Moments of different shapes were merged.
    #[error(
        "moments of shape {left} and {right} cannot be merged, the shapes must be equal",
        left = Listed(left),
        right = Listed(right)
    )]
    MomentsShape {
        /// The shape of those merged into.
        left: Vec<i64>,
        /// The shape of those merged.
        right: Vec<i64>,
    },
}
