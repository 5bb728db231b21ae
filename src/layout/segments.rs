//! How segments lie beside each other.

use std::ops::Range;

use tch::Tensor;

use super::group::SegmentGroup;
use super::rows::SegmentRows;
use super::segment::{Extent, Segment, SegmentId};
use crate::batch::Batch;
use crate::error::{BatchError, Error, Result};

/// The layout of a run in the flat state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segments {
    pub groups: Vec<SegmentGroup>,
    pub rows: usize,
}

impl Segments {
    /// Whole sequences.
    pub fn new(batch: &Batch) -> Self {
        Self::reaching(batch, 0)
    }

    /// Whole sequences, which are going to grow by `further` positions.
    pub fn reaching(batch: &Batch, further: usize) -> Self {
        let segments = batch.sequences().iter().zip(batch.examples()).enumerate();
        Self::stack(segments.map(|(sequence, (tokens, &example))| Segment {
            id: SegmentId(sequence),
            sequence,
            example,
            span: 0..tokens.len(),
            extent: Extent { end: tokens.len(), limit: tokens.len() + further },
            base: None,
        }))
    }

    /// The one position of each sequence that follows these.
    pub fn next(&self) -> Self {
        let segments = self.groups.iter().flat_map(|group| &group.segments);
        Self::stack(segments.map(|segment| Segment {
            span: segment.span.end..segment.span.end + 1,
            ..segment.clone()
        }))
    }

    /// Puts segments of one shape beside each other.
    pub fn stack(segments: impl IntoIterator<Item = Segment>) -> Self {
        let mut segments: Vec<Segment> = segments.into_iter().collect();
        segments.sort_by_key(|segment| (segment.span.end, segment.span.start, segment.extent));
        let mut stacked = Self { groups: Vec::new(), rows: 0 };
        for segment in segments {
            let start = stacked.rows;
            stacked.rows += segment.span.len();
            match stacked.groups.last_mut() {
                Some(group) if group.span == segment.span && group.extent == segment.extent => {
                    group.rows.end = stacked.rows;
                    group.segments.push(segment);
                }
                _ => stacked.groups.push(SegmentGroup {
                    rows: start..stacked.rows,
                    span: segment.span.clone(),
                    extent: segment.extent,
                    segments: vec![segment],
                }),
            }
        }
        stacked
    }

    /// Those segments whose number `keep` names, and their rows among all of these.
    pub fn only(&self, keep: impl Fn(SegmentId) -> bool) -> (Self, Vec<i64>) {
        let mut kept = Self { groups: Vec::new(), rows: 0 };
        let mut rows = Vec::new();
        for group in &self.groups {
            let mut of_group = group.without_segments();
            for (member, segment) in group.segments.iter().enumerate() {
                if keep(segment.id) {
                    of_group.segments.push(segment.clone());
                    rows.extend(group.rows_of(member).map(|row| row as i64));
                }
            }
            if !of_group.segments.is_empty() {
                of_group.rows = kept.rows..rows.len();
                kept.rows = rows.len();
                kept.groups.push(of_group);
            }
        }
        (kept, rows)
    }

    /// The number of segments.
    pub fn len(&self) -> usize {
        self.groups.iter().map(|group| group.segments.len()).sum()
    }

    /// Each segment and its rows, in the order of the rows.
    pub fn by_row(&self) -> impl Iterator<Item = (&Segment, Range<usize>)> {
        self.groups.iter().flat_map(|group| {
            let members = group.segments.iter().enumerate();
            members.map(|(member, segment)| (segment, group.rows_of(member)))
        })
    }

    /// Where each segment lies, by its number.
    pub fn segment_rows(&self) -> SegmentRows {
        SegmentRows::of(self.by_row())
    }

    /// The rows of `earlier` that these segments go on from: their own, or those of their base where
    /// they fork off.
    pub fn rows_from(&self, earlier: &Segments) -> Vec<i64> {
        let rows = earlier.segment_rows();
        let by_row = self.by_row();
        by_row.flat_map(|(segment, _)| rows.at(segment, segment.span.clone())).collect()
    }

    /// The flat state made of one `[pos, …]` tensor per sequence, in the order of the sequences.
    pub fn flat(&self, of_sequences: &[Tensor]) -> Result<Tensor> {
        let by_row = self.by_row().map(|(segment, _)| {
            let (given, len) = (segment.sequence, of_sequences.len());
            of_sequences.get(given).ok_or(Error::Batch(BatchError::NoSuchSequence { given, len }))
        });
        Ok(Tensor::f_cat(&by_row.collect::<Result<Vec<_>>>()?, 0)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments() -> Segments {
        Segments::new(&Batch::new([vec![1, 2, 3], vec![4], vec![5, 6, 7], vec![8]]).unwrap())
    }

    /// Rows, numbers and positions of each group.
    fn shape(segments: &Segments) -> Vec<(Range<usize>, Vec<usize>, Range<usize>)> {
        let groups = segments.groups.iter();
        groups
            .map(|group| {
                (group.rows.clone(), group.ids().map(|id| id.0).collect(), group.span.clone())
            })
            .collect()
    }

    #[test]
    fn equal_lengths_lie_beside_each_other_and_every_sequence_keeps_its_rows() {
        let segments = segments();
        assert_eq!(segments.rows, 8);
        assert_eq!(shape(&segments), [(0..2, vec![1, 3], 0..1), (2..8, vec![0, 2], 0..3)]);
        let mut rows: Vec<_> =
            segments.by_row().map(|(segment, rows)| (segment.sequence, rows)).collect();
        rows.sort_by_key(|&(sequence, _)| sequence);
        assert_eq!(rows, [(0, 2..5), (1, 0..1), (2, 5..8), (3, 1..2)]);
    }

    #[test]
    fn leaving_segments_out_keeps_the_rows_of_the_others() {
        let (kept, rows) = segments().only(|SegmentId(id)| id == 2 || id == 3);
        assert_eq!(shape(&kept), [(0..1, vec![3], 0..1), (1..4, vec![2], 0..3)]);
        assert_eq!(rows, [1, 5, 6, 7]);
    }

    #[test]
    fn the_next_positions_count_their_end_as_before() {
        let next = segments().next();
        assert_eq!(shape(&next)[1], (2..4, vec![0, 2], 3..4));
        assert_eq!(next.groups[1].extent.end, 3);
    }

    #[test]
    fn a_fork_goes_on_from_the_rows_of_its_base_and_reads_what_lies_before() {
        let base = segments();
        let of_base =
            |sequence| base.by_row().find(move |(segment, _)| segment.id == SegmentId(sequence));
        let fork = |id: usize, sequence: usize, start: usize| {
            let (segment, _) = of_base(sequence).unwrap();
            let span = start..segment.span.end;
            Segment { id: SegmentId(id), span, base: Some(SegmentId(sequence)), ..segment.clone() }
        };
        let all = base.groups.iter().flat_map(|group| group.segments.clone());
        let forked = Segments::stack(all.chain([fork(4, 2, 1), fork(5, 0, 1)]));
        assert_eq!(
            shape(&forked),
            [(0..2, vec![1, 3], 0..1), (2..8, vec![0, 2], 0..3), (8..12, vec![4, 5], 1..3),]
        );
        assert_eq!(forked.rows_from(&base), [0, 1, 2, 3, 4, 5, 6, 7, 6, 7, 3, 4]);
        assert_eq!(forked.groups[2].key_rows(&forked.segment_rows()), [5, 8, 9, 2, 10, 11]);
        let narrowed = Segments::stack([fork(4, 2, 2)]);
        assert_eq!(narrowed.rows_from(&forked), [9]);
        assert_eq!(narrowed.groups[0].key_rows(&forked.segment_rows()), [5, 8, 9]);
    }
}
