//! Why nothing is captured, or found.

use super::Error;
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
    #[error("{what} was not captured of sequence {sequence}, captured of it: {captured}")]
    NotCaptured {
        /// What was looked up.
        what: String,
        /// The sequence's index in the batch.
        sequence: usize,
        /// What was captured of the sequence.
        captured: String,
    },
    /// Moments of different shapes were merged.
    #[error("moments of shape {left:?} and {right:?} cannot be merged, the shapes must be equal")]
    MomentsShape {
        /// The shape of those merged into.
        left: Vec<i64>,
        /// The shape of those merged.
        right: Vec<i64>,
    },
}
