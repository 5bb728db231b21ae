//! Selections of token positions.

use std::fmt;
use std::ops::Range;

use crate::error::{Error, Result};

/// Which positions of a sequence, counted in tokens from 0.
///
/// ```
/// # use hooked_gpt2::hook::Positions;
/// let subject = Positions::range(2..5);
/// assert_eq!(subject.indices(10, 0)?, [2, 3, 4]);
/// assert_eq!(Positions::last().indices(10, 0)?, [9]);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Positions(Selection);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Selection {
    All,
    Range(Range<usize>),
    List(Vec<usize>),
    FromEnd(usize),
}

impl Positions {
    /// Every position.
    pub const fn all() -> Self {
        Self(Selection::All)
    }

    /// Position `index`.
    pub const fn at(index: usize) -> Self {
        Self(Selection::Range(index..index + 1))
    }

    /// The positions of `range`.
    pub const fn range(range: Range<usize>) -> Self {
        Self(Selection::Range(range))
    }

    /// Each of `indices`, in increasing order and once, however they are given.
    pub fn several(indices: impl IntoIterator<Item = usize>) -> Self {
        let mut indices: Vec<usize> = indices.into_iter().collect();
        indices.sort_unstable();
        indices.dedup();
        Self(Selection::List(indices))
    }

    /// The last position.
    pub const fn last() -> Self {
        Self::from_end(1)
    }

    /// The position `distance` before the end: 1 is the last one.
    pub const fn from_end(distance: usize) -> Self {
        Self(Selection::FromEnd(distance))
    }

    /// The positions of a sequence of `len` tokens, in increasing order. `sequence` is its index in
    /// the batch, only named in the error.
    ///
    /// # Errors
    /// [`Error::PositionOutOfRange`] if the selection is empty or reaches outside.
    pub fn indices(&self, len: usize, sequence: usize) -> Result<Vec<usize>> {
        let indices: Vec<usize> = match &self.0 {
            Selection::All => (0..len).collect(),
            Selection::Range(range) if range.end <= len => range.clone().collect(),
            Selection::List(list) if list.last().is_some_and(|&last| last < len) => list.clone(),
            Selection::FromEnd(distance) if (1..=len).contains(distance) => vec![len - distance],
            _ => Vec::new(),
        };
        if indices.is_empty() {
            return Err(Error::PositionOutOfRange { given: self.to_string(), sequence, len });
        }
        Ok(indices)
    }

    /// Whether this is every position of every sequence.
    pub(crate) fn is_all(&self) -> bool {
        self.0 == Selection::All
    }
}

impl fmt::Display for Positions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Selection::All => f.write_str("all"),
            Selection::Range(range) if range.len() == 1 => write!(f, "{}", range.start),
            Selection::Range(range) => write!(f, "{}..{}", range.start, range.end),
            Selection::List(list) => write!(f, "{list:?}"),
            Selection::FromEnd(1) => f.write_str("last"),
            Selection::FromEnd(distance) => write!(f, "{distance} from the end"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selections_give_increasing_positions_within_the_sequence() {
        let of = |positions: Positions| positions.indices(6, 0).unwrap();
        assert_eq!(of(Positions::all()), [0, 1, 2, 3, 4, 5]);
        assert_eq!(of(Positions::at(3)), [3]);
        assert_eq!(of(Positions::range(4..6)), [4, 5]);
        assert_eq!(of(Positions::several([5, 0, 5, 2])), [0, 2, 5]);
        assert_eq!(of(Positions::last()), [5]);
        assert_eq!(of(Positions::from_end(2)), [4]);
        assert_eq!(of(Positions::from_end(6)), [0]);
        assert!(Positions::from_end(7).indices(6, 0).is_err());
    }
}
