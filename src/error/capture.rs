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
    /// Moments of attention scores: those behind the causal mask are negative infinity.
    #[error(
        "it has no moments, being negative infinity where a query sees no key; allowed: its norm, or moments of the pattern"
    )]
    NoMoments,
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
