//! Why a forward pass ends before its end.

use crate::error::{Error, HookError, Result};
use crate::layout::SegmentId;

/// What ends a forward pass on its way.
#[derive(Debug)]
pub(crate) enum Interrupt {
    /// It has passed the last site that was asked for.
    Stopped,
    /// It cannot go on.
    Failed(Error),
    /// It cannot go on because of one segment: whoever laid it out knows what to call it.
    InSegment(SegmentId, Error),
}

impl Interrupt {
    /// A failure because of `segment`, if it is that of one alone.
    pub fn of(segment: Option<SegmentId>, error: impl Into<Error>) -> Self {
        match segment {
            Some(segment) => Self::InSegment(segment, error.into()),
            None => Self::Failed(error.into()),
        }
    }

    /// What it means for a run whose segments are its sequences: to stop is no error.
    pub fn of_run(self) -> Result<()> {
        match self {
            Self::Stopped => Ok(()),
            Self::Failed(error) => Err(error),
            Self::InSegment(SegmentId(sequence), error) => {
                Err(HookError::OfSequence { sequence, source: Box::new(error) }.into())
            }
        }
    }
}

impl<E: Into<Error>> From<E> for Interrupt {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}
