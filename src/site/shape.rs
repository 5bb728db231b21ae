//! The shapes that a site's tensor may have.

use std::fmt;

/// The axes of a site's tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SiteShape {
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

impl SiteShape {
    /// Which axis counts heads, if one does; the axis `batch` is number 0.
    pub(crate) fn heads(self) -> Option<usize> {
        match self {
            SiteShape::Attention => Some(1),
            SiteShape::HeadResidual | SiteShape::HeadVector => Some(2),
            _ => None,
        }
    }

    /// Which axis counts positions; of attention, those of the queries.
    pub(crate) fn positions(self) -> usize {
        if self == SiteShape::Attention { 2 } else { 1 }
    }

    /// The number of axes.
    pub(crate) fn count(self) -> usize {
        if self.heads().is_some() { 4 } else { 3 }
    }

    /// What the last axis counts; none of its indices can be selected where it counts keys or nothing.
    pub(crate) fn last(self) -> &'static str {
        match self {
            SiteShape::Neurons => "neuron",
            SiteShape::Vocabulary => "token",
            SiteShape::Attention => "key",
            _ => "channel",
        }
    }

    /// What can be selected of such a tensor, by the names that `At` and files of interventions have for it.
    pub(crate) fn selections(self) -> &'static [&'static str] {
        match self {
            SiteShape::Residual => &["sequences", "positions", "channels"],
            SiteShape::HeadResidual | SiteShape::HeadVector => {
                &["sequences", "heads", "positions", "channels"]
            }
            SiteShape::Attention => &["sequences", "heads", "queries", "keys"],
            SiteShape::Neurons => &["sequences", "positions", "neurons"],
            SiteShape::PerPosition => &["sequences", "positions"],
            SiteShape::Vocabulary => &["sequences", "positions", "tokens"],
        }
    }
}

impl fmt::Display for SiteShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SiteShape::Residual => "[batch, pos, d_model]",
            SiteShape::HeadResidual => "[batch, pos, head, d_model]",
            SiteShape::HeadVector => "[batch, pos, head, d_head]",
            SiteShape::Attention => "[batch, head, query_pos, key_pos]",
            SiteShape::Neurons => "[batch, pos, d_mlp]",
            SiteShape::PerPosition => "[batch, pos, 1]",
            SiteShape::Vocabulary => "[batch, pos, d_vocab]",
        })
    }
}
