//! How the sequences of a run lie in the flat state that the model computes on.
//!
//! A segment is a run of consecutive positions of one sequence. It owns consecutive rows of one
//! `[rows, d_model]` state, so that linear layers, layer norms and the MLP see one matrix whatever
//! the lengths are. Only attention and hooks look at segments; those of one shape lie beside each
//! other, as a group, and are seen stacked, as `[batch, pos, …]`.
//!
//! A segment that does not begin at 0 reads the keys and values of earlier positions from a cache, or
//! from its base: a segment of the same layout that does. Between blocks, segments may fork off from
//! their bases, and layouts change.

mod forks;
mod group;
mod rows;
mod segment;
mod segments;
mod stage;

pub(crate) use forks::{Layouts, StagedSegment};
pub(crate) use group::{SegmentGroup, flatten};
pub(crate) use rows::SegmentRows;
pub(crate) use segment::{Extent, Segment, SegmentId};
pub(crate) use segments::Segments;
pub(crate) use stage::Stage;
