//! The tokens that metrics are about.

use super::metric::Scored;
use crate::error::{BatchError, Error, Result, SweepError};

/// Target tokens: one or several for all sequences, or for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    tokens: Tokens,
    at_every_position: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Tokens {
    Shared(u32),
    Each(Vec<Vec<u32>>),
}

impl Target {
    pub fn shared(token: u32) -> Self {
        Self { tokens: Tokens::Shared(token), at_every_position: false }
    }

    pub fn each(tokens: impl Into<Vec<u32>>) -> Self {
        Self::several(tokens.into().into_iter().map(|token| vec![token]).collect::<Vec<_>>())
    }

    pub fn several(tokens: impl Into<Vec<Vec<u32>>>) -> Self {
        Self { tokens: Tokens::Each(tokens.into()), at_every_position: false }
    }

    pub fn at_every_position(self) -> Self {
        Self { at_every_position: true, ..self }
    }

    /// Checks that the vocabulary has the tokens, that there are some for each sequence, and that no sequence
    /// is scored at several positions by mistake.
    pub fn check(&self, metric: &str, scored: &Scored<'_>) -> Result<()> {
        let tokens: Vec<&[u32]> = match &self.tokens {
            Tokens::Shared(token) => vec![std::slice::from_ref(token)],
            Tokens::Each(tokens) if tokens.len() != scored.sequences.len() => {
                let (given, needed) = (tokens.len(), scored.sequences.len());
                return Err(
                    SweepError::TargetCount { metric: metric.to_owned(), given, needed }.into()
                );
            }
            Tokens::Each(tokens) => tokens.iter().map(Vec::as_slice).collect(),
        };
        if let Some(sequence) = tokens.iter().position(|tokens| tokens.is_empty()) {
            return Err(SweepError::NoTarget { metric: metric.to_owned(), sequence }.into());
        }
        let d_vocab = scored.d_vocab;
        let beyond = |token: &&u32| **token as usize >= d_vocab;
        if let Some(&given) = tokens.iter().copied().flatten().find(beyond) {
            return Err(BatchError::TokenOutOfRange { given, d_vocab }.into());
        }
        let several = scored.positions.iter().position(|positions| positions.len() > 1);
        match several {
            Some(sequence) if !self.at_every_position => {
                let (metric, positions) = (metric.to_owned(), scored.positions[sequence].len());
                Err(SweepError::OneTarget { metric, sequence, positions }.into())
            }
            _ => Ok(()),
        }
    }

    /// The first token of one sequence.
    pub fn of(&self, sequence: usize) -> Result<u32> {
        let first = self.tokens_of(sequence)?.first().copied();
        first.ok_or_else(|| Error::Bug(format!("no target of sequence {sequence}")))
    }

    /// The tokens of one sequence.
    pub fn tokens_of(&self, sequence: usize) -> Result<&[u32]> {
        match &self.tokens {
            Tokens::Shared(token) => Ok(std::slice::from_ref(token)),
            Tokens::Each(tokens) => tokens
                .get(sequence)
                .map(Vec::as_slice)
                .ok_or_else(|| Error::Bug(format!("no target of sequence {sequence}"))),
        }
    }
}
