//! The shapes that a site's tensor may have.

use std::fmt;

/// The axes of a site's tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Axes {
    /// `[batch, pos, d_model]`
    Residual,
    /// `[batch, pos, head, d_model]`
    HeadResidual,
    /// `[batch, pos, head, d_head]`
    HeadVector,
    /// `[batch, head, query_pos, key_pos]`
    Attention,
    /// `[batch, pos, d_mlp]`
    Neurons,
    /// `[batch, pos, 1]`
    PerPosition,
    /// `[batch, pos, d_vocab]`
    Vocabulary,
}

impl Axes {
    /// Which axis counts heads, if one does; the axis `batch` is number 0.
    pub(crate) fn heads(self) -> Option<usize> {
        match self {
            Axes::Attention => Some(1),
            Axes::HeadResidual | Axes::HeadVector => Some(2),
            _ => None,
        }
    }

    /// Which axis counts positions; of attention, those of the queries.
    pub(crate) fn positions(self) -> usize {
        if self == Axes::Attention { 2 } else { 1 }
    }

    /// The number of axes.
    pub(crate) fn count(self) -> usize {
        if self.heads().is_some() { 4 } else { 3 }
    }

    /// What the last axis counts; none of its indices can be selected where it counts keys or nothing.
    pub(crate) fn last(self) -> &'static str {
        match self {
            Axes::Neurons => "neuron",
            Axes::Vocabulary => "token",
            Axes::Attention => "key",
            _ => "channel",
        }
    }

    /// What can be selected of such a tensor, by the names that `At` and files of interventions have for it.
    pub(crate) fn selections(self) -> &'static [&'static str] {
        match self {
            Axes::Residual => &["sequences", "positions", "channels"],
            Axes::HeadResidual | Axes::HeadVector => {
                &["sequences", "heads", "positions", "channels"]
            }
            Axes::Attention => &["sequences", "heads", "queries", "keys"],
            Axes::Neurons => &["sequences", "positions", "neurons"],
            Axes::PerPosition => &["sequences", "positions"],
            Axes::Vocabulary => &["sequences", "positions", "tokens"],
        }
    }
}

impl fmt::Display for Axes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Axes::Residual => "[batch, pos, d_model]",
            Axes::HeadResidual => "[batch, pos, head, d_model]",
            Axes::HeadVector => "[batch, pos, head, d_head]",
            Axes::Attention => "[batch, head, query_pos, key_pos]",
            Axes::Neurons => "[batch, pos, d_mlp]",
            Axes::PerPosition => "[batch, pos, 1]",
            Axes::Vocabulary => "[batch, pos, d_vocab]",
        })
    }
}
