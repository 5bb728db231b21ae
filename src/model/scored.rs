//! Where a run reads logits.

use tch::Tensor;

use super::Logits;
use super::logits::SequenceLogits;
use crate::error::Result;
use crate::hook::Positions;
use crate::segment::Segments;

/// Which rows of the flat state are unembedded.
pub(crate) struct Scored {
    /// Rows, segment by segment in the order of the flat state.
    rows: Vec<usize>,
    /// Number of the segment, length of its sequence and its scored positions, in the same order.
    pub segments: Vec<(usize, usize, Vec<usize>)>,
}

impl Scored {
    /// `positions` of each sequence, or none.
    ///
    /// # Errors
    /// [`PositionOutOfRange`](crate::Error::PositionOutOfRange).
    pub fn new(segments: &Segments, positions: Option<&Positions>) -> Result<Self> {
        let mut scored = Self { rows: Vec::new(), segments: Vec::new() };
        for (segment, rows) in segments.by_row() {
            let len = segment.span.end;
            let positions = match positions {
                Some(positions) => positions.indices(len, segment.sequence)?,
                None => Vec::new(),
            };
            let row_of = |position: &usize| rows.start + position - segment.span.start;
            scored.rows.extend(positions.iter().map(row_of));
            scored.segments.push((segment.id, len, positions));
        }
        Ok(scored)
    }

    /// The scored rows of a flat `[rows, …]` state.
    pub fn rows_of(&self, state: Tensor) -> Result<Tensor> {
        if self.rows.len() as i64 == state.size()[0] {
            return Ok(state);
        }
        let rows: Vec<i64> = self.rows.iter().map(|&row| row as i64).collect();
        let rows = Tensor::f_from_slice(&rows)?.f_to_device(state.device())?;
        Ok(state.f_index_select(0, &rows)?)
    }

    /// Cuts the flat logits into sequences, in the batch's order.
    pub fn cut(&self, logits: &Tensor) -> Result<Logits> {
        let mut start = 0;
        let mut cut = Vec::with_capacity(self.segments.len());
        for &(segment, len, ref positions) in &self.segments {
            let positions = positions.clone();
            let count = positions.len() as i64;
            let logits = logits.f_narrow(0, start, count)?;
            start += count;
            cut.push((segment, SequenceLogits { len, positions, logits }));
        }
        cut.sort_by_key(|&(segment, _)| segment);
        Ok(Logits::new(cut.into_iter().map(|(_, logits)| logits).collect()))
    }
}
