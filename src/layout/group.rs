//! Segments of one shape, stacked.

use std::ops::Range;

use tch::Tensor;

use super::rows::SegmentRows;
use super::segment::{Extent, Segment, SegmentId};
use crate::error::Result;

/// Segments of the same positions, stacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentGroup {
    /// Rows of the flat state.
    pub rows: Range<usize>,
    pub segments: Vec<Segment>,
    /// The positions that each of them carries.
    pub span: Range<usize>,
    pub extent: Extent,
}

impl SegmentGroup {
    /// Positions per segment.
    pub fn len(&self) -> usize {
        self.span.len()
    }

    /// The rows of one of the segments.
    pub fn rows_of(&self, member: usize) -> Range<usize> {
        let start = self.rows.start + member * self.len();
        start..start + self.len()
    }

    /// The numbers of the segments.
    pub fn ids(&self) -> impl Iterator<Item = SegmentId> {
        self.segments.iter().map(|segment| segment.id)
    }

    /// The group's rows of a flat `[rows, …]` state as `[batch, pos, …]`: a view, not a copy.
    pub fn stacked(&self, state: &Tensor) -> Result<Tensor> {
        let mut shape = state.size();
        shape.splice(..1, [self.segments.len() as i64, self.len() as i64]);
        let rows = state.f_narrow(0, self.rows.start as i64, self.rows.len() as i64)?;
        Ok(rows.f_view(&shape[..])?)
    }

    /// The rows of all positions up to the end of the group, for each of its segments in turn.
    pub fn key_rows(&self, rows: &SegmentRows) -> Vec<i64> {
        let segments = self.segments.iter();
        segments.flat_map(|segment| rows.at(segment, 0..self.span.end)).collect()
    }

    /// One of the segments by itself, in the batch's sequence that it is of.
    pub fn member(&self, member: usize) -> Self {
        let segments = vec![self.segments[member].clone()];
        Self { rows: self.rows_of(member), segments, ..self.without_segments() }
    }

    /// One of the segments by itself, as a registry of its own sees it: as the only sequence that there is.
    pub fn alone(&self, member: usize) -> Self {
        let mut alone = self.member(member);
        alone.segments[0].sequence = 0;
        alone
    }

    /// The same segments with all positions that their sequences ever have; no rows are theirs.
    pub fn whole(&self) -> Self {
        let span = 0..self.extent.limit;
        Self { span, segments: self.segments.clone(), ..self.without_segments() }
    }

    /// The same positions of no segment.
    pub fn without_segments(&self) -> Self {
        let (span, extent) = (self.span.clone(), self.extent);
        Self { rows: 0..0, segments: Vec::new(), span, extent }
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
