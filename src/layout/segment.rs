//! One segment.

use std::ops::Range;

/// The number of a segment in its run. What is captured is looked up by it, and registries of their own are
/// given by it; in a plain run it is the index of the sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SegmentId(pub usize);

/// A run of consecutive positions of one sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub id: SegmentId,
    /// Index of its sequence, as hooks that all segments share select it.
    pub sequence: usize,
    /// Number of its example.
    pub example: u64,
    /// The positions that it carries.
    pub span: Range<usize>,
    /// Its sequence as a selection of positions sees it.
    pub extent: Extent,
    /// The segment that earlier positions are read from.
    pub base: Option<SegmentId>,
}

/// How long a sequence is, for selections of positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Extent {
    /// What is counted from the end is counted from here.
    pub end: usize,
    /// No position may reach this.
    pub limit: usize,
}
