//! Selections of token positions.

use std::fmt;
use std::ops::Range;

use crate::error::{Listed, Result, SelectionError};
use crate::layout::Extent;

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
pub struct Positions(PositionSelection);

/// What a [`Positions`] says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum PositionSelection {
    All,
    Range(Range<usize>),
    List(Vec<usize>),
    StartingAt(usize),
    FromEnd(usize),
}

impl Positions {
    /// Every position.
    pub const fn all() -> Self {
        Self(PositionSelection::All)
    }

    /// Position `index`.
    pub const fn at(index: usize) -> Self {
        Self(PositionSelection::Range(index..index.saturating_add(1)))
    }

    /// The positions of `range`.
    pub const fn range(range: Range<usize>) -> Self {
        Self(PositionSelection::Range(range))
    }

    /// The positions from `start` on.
    pub const fn starting_at(start: usize) -> Self {
        Self(PositionSelection::StartingAt(start))
    }

    /// Each of `indices`, in increasing order and once, however they are given.
    pub fn several(indices: impl IntoIterator<Item = usize>) -> Self {
        let mut indices: Vec<usize> = indices.into_iter().collect();
        indices.sort_unstable();
        indices.dedup();
        Self(PositionSelection::List(indices))
    }

    /// The last position.
    pub const fn last() -> Self {
        Self::from_end(1)
    }

    /// The position `distance` before the end: 1 is the last one.
    pub const fn from_end(distance: usize) -> Self {
        Self(PositionSelection::FromEnd(distance))
    }

    /// The positions of a sequence of `len` tokens, in increasing order. `sequence` is its index in
    /// the batch, only named in the error.
    ///
    /// # Errors
    /// [`SelectionError::PositionOutOfRange`] if the selection reaches outside, and
    /// [`SelectionError::EmptySelection`] if it names no position.
    pub fn indices(&self, len: usize, sequence: usize) -> Result<Vec<usize>> {
        self.within(0..len, Extent { end: len, limit: len }, sequence)
    }

    /// Those of the positions that lie in `span`. A selection that fits the sequence but not the span
    /// gives none.
    ///
    /// # Errors
    /// Those of [`indices`](Self::indices).
    pub(crate) fn within(
        &self,
        span: Range<usize>,
        Extent { end, limit }: Extent,
        sequence: usize,
    ) -> Result<Vec<usize>> {
        let is_empty = match &self.0 {
            PositionSelection::Range(range) => range.is_empty() && range.end <= limit,
            PositionSelection::List(list) => list.is_empty(),
            _ => false,
        };
        if is_empty {
            return Err(SelectionError::EmptySelection { axis: "position" }.into());
        }
        let all: Option<Vec<usize>> = match &self.0 {
            PositionSelection::All => return Ok(span.collect()),
            PositionSelection::Range(range) => {
                (range.end <= limit).then(|| range.clone().collect())
            }
            PositionSelection::List(list) => {
                list.last().is_some_and(|&last| last < limit).then(|| list.clone())
            }
            PositionSelection::StartingAt(start) => Some((*start..limit).collect()),
            PositionSelection::FromEnd(distance) => {
                (1..=end).contains(distance).then(|| vec![end - distance])
            }
        };
        match all {
            Some(all) if !all.is_empty() => {
                Ok(all.into_iter().filter(|position| span.contains(position)).collect())
            }
            _ => {
                let given = self.to_string();
                Err(SelectionError::PositionOutOfRange { given, sequence, len: limit }.into())
            }
        }
    }

    /// What is selected.
    pub(crate) fn selection(&self) -> &PositionSelection {
        &self.0
    }

    /// Whether this is every position of every sequence.
    pub(crate) fn is_all(&self) -> bool {
        self.0 == PositionSelection::All
    }
}

/// `{:#}` writes all of a list, `{}` no more than its beginning.
impl fmt::Display for Positions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            PositionSelection::All => f.write_str("all"),
            PositionSelection::Range(range) if range.len() == 1 || range.start == usize::MAX => {
                write!(f, "{}", range.start)
            }
            PositionSelection::Range(range) => write!(f, "{}..{}", range.start, range.end),
            PositionSelection::List(list) if f.alternate() => write!(f, "{list:?}"),
            PositionSelection::List(list) => write!(f, "{}", Listed(list)),
            PositionSelection::StartingAt(start) => write!(f, "{start}.."),
            PositionSelection::FromEnd(1) => f.write_str("last"),
            PositionSelection::FromEnd(distance) => write!(f, "{distance} from the end"),
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
        assert_eq!(of(Positions::starting_at(4)), [4, 5]);
        assert!(Positions::from_end(7).indices(6, 0).is_err());
        assert!(Positions::starting_at(6).indices(6, 0).is_err());
    }

    #[test]
    fn a_segment_gets_its_share_of_a_selection_that_fits_the_sequence() {
        let extent = Extent { end: 4, limit: 6 };
        let share = |positions: Positions| positions.within(3..5, extent, 0).unwrap();
        assert_eq!(share(Positions::all()), [3, 4]);
        assert_eq!(share(Positions::several([0, 4, 5])), [4]);
        assert_eq!(share(Positions::last()), [3]);
        assert_eq!(share(Positions::starting_at(4)), [4]);
        assert!(share(Positions::at(1)).is_empty());
        assert!(Positions::at(6).within(3..5, extent, 0).is_err());
    }
}
