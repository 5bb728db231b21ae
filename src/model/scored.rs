//! Where a run reads logits.

use tch::Tensor;

use super::Logits;
use super::logits::SequenceLogits;
use crate::error::Result;
use crate::hook::Positions;
use crate::segment::Segments;

/// Which rows of the flat state are unembedded.
pub(super) struct Scored {
    /// Rows, sequence by sequence in the order of the flat state.
    rows: Vec<usize>,
    /// Sequence index, its length and its scored positions, in the same order.
    sequences: Vec<(usize, usize, Vec<usize>)>,
}

impl Scored {
    /// `positions` of each sequence, or none.
    ///
    /// # Errors
    /// [`PositionOutOfRange`](crate::Error::PositionOutOfRange).
    pub fn new(segments: &Segments, positions: Option<&Positions>) -> Result<Self> {
        let mut scored = Self { rows: Vec::new(), sequences: Vec::new() };
        for (sequence, span, rows) in segments.by_row() {
            let len = span.end;
            let positions = match positions {
                Some(positions) => positions.indices(len, sequence)?,
                None => Vec::new(),
            };
            let row_of = |position: &usize| rows.start + position - span.start;
            scored.rows.extend(positions.iter().map(row_of));
            scored.sequences.push((sequence, len, positions));
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
        let mut cut = Vec::with_capacity(self.sequences.len());
        for &(sequence, len, ref positions) in &self.sequences {
            let positions = positions.clone();
            let count = positions.len() as i64;
            let logits = logits.f_narrow(0, start, count)?;
            start += count;
            cut.push((sequence, SequenceLogits { len, positions, logits }));
        }
        cut.sort_by_key(|&(sequence, _)| sequence);
        Ok(Logits::new(cut.into_iter().map(|(_, logits)| logits).collect()))
    }
}
