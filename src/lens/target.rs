//! The token that the logit lens looks for.

use crate::batch::Batch;
use crate::error::{BatchError, LensError, Result};

#[derive(Debug, Clone)]
pub(super) enum Target {
    Shared(u32),
    Each(Vec<u32>),
    /// The one that follows in the text.
    Next,
}

impl Target {
    /// # Errors
    /// [`OneForEach`](LensError::OneForEach) and [`TokenOutOfRange`](BatchError::TokenOutOfRange).
    pub fn check(&self, batch: &Batch, d_vocab: usize) -> Result<()> {
        let tokens = match self {
            Self::Shared(token) => std::slice::from_ref(token),
            Self::Each(tokens) => tokens,
            Self::Next => &[],
        };
        let needed = batch.sequences().len();
        if let Self::Each(tokens) = self
            && tokens.len() != needed
        {
            let (what, given) = ("targets", tokens.len());
            return Err(LensError::OneForEach { what, given, needed }.into());
        }
        match tokens.iter().find(|&&token| token as usize >= d_vocab) {
            Some(&given) => Err(BatchError::TokenOutOfRange { given, d_vocab }.into()),
            None => Ok(()),
        }
    }

    /// The target at a position; `None` where the text ends.
    pub fn at(&self, batch: &Batch, sequence: usize, position: usize) -> Option<u32> {
        match self {
            Self::Shared(token) => Some(*token),
            Self::Each(tokens) => tokens.get(sequence).copied(),
            Self::Next => batch.sequences().get(sequence)?.get(position + 1).copied(),
        }
    }
}
