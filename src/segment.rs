//! How the sequences of a batch lie in the flat state that the model computes on.
//!
//! A segment is a run of consecutive positions of one sequence. It owns consecutive rows of one
//! `[rows, d_model]` state, so that linear layers, layer norms and the MLP see one matrix whatever
//! the lengths are. Only attention and hooks look at segments; those of equal length lie beside
//! each other and are seen stacked, as `[batch, pos, …]`.

use std::ops::Range;

use tch::Tensor;

use crate::batch::Batch;
use crate::error::{Error, Result};

/// Segments of equal length, stacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentGroup {
    /// Rows of the flat state.
    pub rows: Range<usize>,
    /// Index in the batch of each segment's sequence.
    pub sequences: Vec<usize>,
    /// Number of each segment's example.
    pub examples: Vec<u64>,
    /// Positions per segment.
    pub len: usize,
}

impl SegmentGroup {
    /// The group's rows of a flat `[rows, …]` state as `[batch, pos, …]`: a view, not a copy.
    pub fn stacked(&self, state: &Tensor) -> Result<Tensor> {
        let mut shape = state.size();
        shape.splice(..1, [self.sequences.len() as i64, self.len as i64]);
        let rows = state.f_narrow(0, self.rows.start as i64, self.rows.len() as i64)?;
        Ok(rows.f_view(&shape[..])?)
    }
}

/// The layout of a batch in the flat state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segments {
    pub groups: Vec<SegmentGroup>,
    pub rows: usize,
    /// First row and length of each sequence, in the batch's order.
    spans: Vec<Range<usize>>,
}

impl Segments {
    pub fn new(batch: &Batch) -> Self {
        let sequences = batch.sequences();
        let mut order: Vec<usize> = (0..sequences.len()).collect();
        order.sort_by_key(|&sequence| sequences[sequence].len());

        let mut groups: Vec<SegmentGroup> = Vec::new();
        let mut spans = vec![0..0; sequences.len()];
        let mut rows = 0;
        for sequence in order {
            let len = sequences[sequence].len();
            let span = rows..rows + len;
            match groups.last_mut() {
                Some(group) if group.len == len => {
                    group.rows.end = span.end;
                    group.sequences.push(sequence);
                    group.examples.push(batch.examples()[sequence]);
                }
                _ => groups.push(SegmentGroup {
                    rows: span.clone(),
                    sequences: vec![sequence],
                    examples: vec![batch.examples()[sequence]],
                    len,
                }),
            }
            rows = span.end;
            spans[sequence] = span;
        }
        Self { groups, rows, spans }
    }

    /// The number of sequences.
    pub fn n_sequences(&self) -> usize {
        self.spans.len()
    }

    /// The group of one sequence, and its place there.
    pub fn locate(&self, sequence: usize) -> Result<(usize, usize)> {
        let places = self.groups.iter().enumerate().filter_map(|(group, members)| {
            let row = members.sequences.iter().position(|&member| member == sequence)?;
            Some((group, row))
        });
        let no_such = Error::NoSuchSequence { given: sequence, len: self.spans.len() };
        places.into_iter().next().ok_or(no_such)
    }

    /// The rows of one sequence.
    pub fn rows_of(&self, sequence: usize) -> Result<Range<usize>> {
        let no_such = Error::NoSuchSequence { given: sequence, len: self.spans.len() };
        self.spans.get(sequence).cloned().ok_or(no_such)
    }

    /// Sequences in the order of their rows.
    pub fn sequences_by_row(&self) -> impl Iterator<Item = usize> {
        self.groups.iter().flat_map(|group| group.sequences.iter().copied())
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

    #[test]
    fn equal_lengths_lie_beside_each_other_and_every_sequence_keeps_its_rows() {
        let batch = Batch::new([vec![1, 2, 3], vec![4], vec![5, 6, 7], vec![8]]).unwrap();
        let segments = Segments::new(&batch);
        assert_eq!(segments.rows, 8);
        assert_eq!(
            segments.groups,
            [
                SegmentGroup { rows: 0..2, sequences: vec![1, 3], examples: vec![1, 3], len: 1 },
                SegmentGroup { rows: 2..8, sequences: vec![0, 2], examples: vec![0, 2], len: 3 },
            ]
        );
        let spans: Vec<_> = (0..4).map(|i| segments.rows_of(i).unwrap()).collect();
        assert_eq!(spans, [2..5, 0..1, 5..8, 1..2]);
        assert!(segments.rows_of(4).is_err());
    }
}
