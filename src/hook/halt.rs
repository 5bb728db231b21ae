//! Why a forward pass ends before its end.

use tch::TchError;

use crate::error::Error;

/// What stops a forward pass on its way.
#[derive(Debug)]
pub(crate) enum Halt {
    /// It has passed the last site that was asked for.
    Stopped,
    /// It cannot go on.
    Failed(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<TchError> for Halt {
    fn from(error: TchError) -> Self {
        Self::Failed(error.into())
    }
}
