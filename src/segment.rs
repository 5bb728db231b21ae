//! How the sequences of a run lie in the flat state that the model computes on.
//!
//! A segment is a run of consecutive positions of one sequence. It owns consecutive rows of one
//! `[rows, d_model]` state, so that linear layers, layer norms and the MLP see one matrix whatever
//! the lengths are. Only attention and hooks look at segments; those of one shape lie beside each
//! other and are seen stacked, as `[batch, pos, …]`.

use std::ops::Range;

use tch::Tensor;

use crate::batch::Batch;
use crate::error::{Error, Result};

/// Segments of the same positions, stacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentGroup {
    /// Rows of the flat state.
    pub rows: Range<usize>,
    /// Index of each segment's sequence.
    pub sequences: Vec<usize>,
    /// Number of each segment's example.
    pub examples: Vec<u64>,
    /// The positions that each segment carries.
    pub span: Range<usize>,
    /// The sequences as a selection of positions sees them.
    pub extent: Extent,
}

/// How long a sequence is, for selections of positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Extent {
    /// What is counted from the end is counted from here.
    pub end: usize,
    /// No position may reach this.
    pub limit: usize,
}

impl SegmentGroup {
    /// Positions per segment.
    pub fn len(&self) -> usize {
        self.span.len()
    }

    /// The group's rows of a flat `[rows, …]` state as `[batch, pos, …]`: a view, not a copy.
    pub fn stacked(&self, state: &Tensor) -> Result<Tensor> {
        let mut shape = state.size();
        shape.splice(..1, [self.sequences.len() as i64, self.len() as i64]);
        let rows = state.f_narrow(0, self.rows.start as i64, self.rows.len() as i64)?;
        Ok(rows.f_view(&shape[..])?)
    }

    /// One of the segments by itself, as the only sequence that there is.
    pub fn alone(&self, member: usize) -> Self {
        let start = self.rows.start + member * self.len();
        Self {
            rows: start..start + self.len(),
            sequences: vec![0],
            examples: vec![self.examples[member]],
            span: self.span.clone(),
            extent: self.extent,
        }
    }
}

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
        let segments = segments.map(|(sequence, (tokens, &example))| {
            let extent = Extent { end: tokens.len(), limit: tokens.len() + further };
            (sequence, example, 0..tokens.len(), extent)
        });
        Self::stack(segments.collect())
    }

    /// The one position of each sequence that follows these.
    pub fn next(&self) -> Self {
        let next = |group: &SegmentGroup, member: usize| {
            let span = group.span.end..group.span.end + 1;
            (group.sequences[member], group.examples[member], span, group.extent)
        };
        let members = |group: &SegmentGroup| 0..group.sequences.len();
        let segments = self.groups.iter().flat_map(|group| members(group).map(|m| next(group, m)));
        Self::stack(segments.collect())
    }

    /// The segments of those sequences that `keep` names, and their rows among all of these.
    pub fn only(&self, keep: impl Fn(usize) -> bool) -> (Self, Vec<i64>) {
        let mut kept = Self { groups: Vec::new(), rows: 0 };
        let mut rows = Vec::new();
        for group in &self.groups {
            let members: Vec<usize> =
                (0..group.sequences.len()).filter(|&row| keep(group.sequences[row])).collect();
            if members.is_empty() {
                continue;
            }
            for &member in &members {
                let start = group.rows.start + member * group.len();
                rows.extend((start..start + group.len()).map(|row| row as i64));
            }
            let start = kept.rows;
            kept.rows += members.len() * group.len();
            kept.groups.push(SegmentGroup {
                rows: start..kept.rows,
                sequences: members.iter().map(|&member| group.sequences[member]).collect(),
                examples: members.iter().map(|&member| group.examples[member]).collect(),
                span: group.span.clone(),
                extent: group.extent,
            });
        }
        (kept, rows)
    }

    /// Puts segments of one shape beside each other: (sequence, example, positions, extent).
    fn stack(mut segments: Vec<(usize, u64, Range<usize>, Extent)>) -> Self {
        segments.sort_by_key(|(_, _, span, extent)| (span.end, span.start, *extent));
        let mut stacked = Self { groups: Vec::new(), rows: 0 };
        for (sequence, example, span, extent) in segments {
            let start = stacked.rows;
            stacked.rows += span.len();
            match stacked.groups.last_mut() {
                Some(group) if group.span == span && group.extent == extent => {
                    group.rows.end = stacked.rows;
                    group.sequences.push(sequence);
                    group.examples.push(example);
                }
                _ => stacked.groups.push(SegmentGroup {
                    rows: start..stacked.rows,
                    sequences: vec![sequence],
                    examples: vec![example],
                    span,
                    extent,
                }),
            }
        }
        stacked
    }

    /// The number of sequences.
    pub fn n_sequences(&self) -> usize {
        self.groups.iter().map(|group| group.sequences.len()).sum()
    }

    /// Each sequence, its positions and their rows, in the order of the rows.
    pub fn by_row(&self) -> impl Iterator<Item = (usize, &Range<usize>, Range<usize>)> {
        self.groups.iter().flat_map(|group| {
            group.sequences.iter().enumerate().map(|(member, &sequence)| {
                let start = group.rows.start + member * group.len();
                (sequence, &group.span, start..start + group.len())
            })
        })
    }

    /// The flat state made of one `[pos, …]` tensor per sequence, in the order of the sequences.
    pub fn flat(&self, of_sequences: &[Tensor]) -> Result<Tensor> {
        let by_row = self.by_row().map(|(sequence, ..)| {
            let len = of_sequences.len();
            of_sequences.get(sequence).ok_or(Error::NoSuchSequence { given: sequence, len })
        });
        Ok(Tensor::f_cat(&by_row.collect::<Result<Vec<_>>>()?, 0)?)
    }
}

/// The flat `[rows, …]` state of groups that are stacked as `[batch, pos, …]`, all of them in order.
pub(crate) fn flatten(groups: Vec<Tensor>) -> Result<Tensor> {
    match <[Tensor; 1]>::try_from(groups) {
        Ok([only]) => Ok(only.f_flatten(0, 1)?),
        Err(several) => {
            let flat = several.iter().map(|group| group.f_flatten(0, 1));
            Ok(Tensor::f_cat(&flat.collect::<Result<Vec<_>, _>>()?, 0)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments() -> Segments {
        Segments::new(&Batch::new([vec![1, 2, 3], vec![4], vec![5, 6, 7], vec![8]]).unwrap())
    }

    fn group(rows: Range<usize>, sequences: &[usize], span: Range<usize>) -> SegmentGroup {
        let extent = Extent { end: span.end, limit: span.end };
        let examples = sequences.iter().map(|&sequence| sequence as u64).collect();
        SegmentGroup { rows, sequences: sequences.to_vec(), examples, span, extent }
    }

    #[test]
    fn equal_lengths_lie_beside_each_other_and_every_sequence_keeps_its_rows() {
        let segments = segments();
        assert_eq!(segments.rows, 8);
        assert_eq!(segments.groups, [group(0..2, &[1, 3], 0..1), group(2..8, &[0, 2], 0..3)]);
        let mut rows: Vec<_> =
            segments.by_row().map(|(sequence, _, rows)| (sequence, rows)).collect();
        rows.sort_by_key(|&(sequence, _)| sequence);
        assert_eq!(rows, [(0, 2..5), (1, 0..1), (2, 5..8), (3, 1..2)]);
    }

    #[test]
    fn leaving_sequences_out_keeps_the_rows_of_the_others() {
        let (kept, rows) = segments().only(|sequence| sequence == 2 || sequence == 3);
        assert_eq!(kept.groups, [group(0..1, &[3], 0..1), group(1..4, &[2], 0..3)]);
        assert_eq!(rows, [1, 5, 6, 7]);
    }

    #[test]
    fn the_next_positions_count_their_end_as_before() {
        let next = segments().next();
        assert_eq!(next.rows, 4);
        assert_eq!(next.groups[1].span, 3..4);
        assert_eq!(next.groups[1].extent.end, 3);
        assert_eq!(next.groups[1].sequences, [0, 2]);
    }
}
