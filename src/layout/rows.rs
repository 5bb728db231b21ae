//! Which rows are whose.

use std::collections::HashMap;
use std::ops::Range;

use super::segment::{Segment, SegmentId};

/// Where the segments of a layout lie, by their numbers.
pub(crate) struct SegmentRows(HashMap<SegmentId, FirstRow>);

/// The first row of a segment, and the position that it stands for.
struct FirstRow {
    row: usize,
    position: usize,
}

impl SegmentRows {
    /// Of these segments, each with its rows.
    pub fn of<'s>(segments: impl Iterator<Item = (&'s Segment, Range<usize>)>) -> Self {
        let first = segments.map(|(segment, rows)| {
            (segment.id, FirstRow { row: rows.start, position: segment.span.start })
        });
        Self(first.collect())
    }

    /// The rows of some `positions` of a segment: its own, and those of its base for positions that it
    /// does not carry here.
    pub fn at(&self, segment: &Segment, positions: Range<usize>) -> impl Iterator<Item = i64> {
        let own = self.0.get(&segment.id);
        let base = segment.base.and_then(|base| self.0.get(&base));
        positions.map(move |position| {
            let first = own.filter(|own| own.position <= position).or(base);
            first.map_or(0, |first| first.row + position - first.position) as i64
        })
    }
}
