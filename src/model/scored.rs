//! Where a run reads logits.

use tch::Tensor;

use super::Logits;
use super::logits::SequenceLogits;
use crate::error::{Error, Result, RunError};
use crate::hook::Positions;
use crate::layout::{SegmentId, Segments};

/// Which rows of the flat state are unembedded.
pub(crate) struct Scored {
    /// Rows, segment by segment in the order of the flat state.
    rows: Vec<usize>,
    /// Number of the segment, length of its sequence and its scored positions, in the same order.
    pub segments: Vec<(SegmentId, usize, Vec<usize>)>,
}

impl Scored {
    /// `positions` of each sequence, or none.
    ///
    /// # Errors
    /// [`PositionOutOfRange`](crate::error::SelectionError::PositionOutOfRange).
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

    /// Checks that no logit is NaN: nobody asks for that.
    ///
    /// # Errors
    /// [`RunError::NotANumber`].
    pub fn check_numbers(&self, logits: &Tensor) -> Result<()> {
        // The largest of several numbers is NaN if one of them is.
        if logits.numel() == 0 || logits.f_max()?.f_isnan()?.f_int64_value(&[])? == 0 {
            return Ok(());
        }
        let bad = logits.f_isnan()?.f_any_dim(-1, false)?.f_nonzero()?;
        let mut row = bad.f_int64_value(&[0, 0])? as usize;
        for (SegmentId(sequence), _, positions) in &self.segments {
            match positions.get(row) {
                Some(&position) => {
                    let sequence = *sequence;
                    return Err(RunError::NotANumber { sequence, position }.into());
                }
                None => row -= positions.len(),
            }
        }
        Err(Error::Bug("a logit is NaN at no position".to_owned()))
    }

    /// Cuts the flat logits into the `sequences` of the batch, in its order.
    pub fn cut(&self, logits: &Tensor, sequences: &[Vec<u32>]) -> Result<Logits> {
        let mut start = 0;
        let mut cut = Vec::with_capacity(self.segments.len());
        for &(segment, _, ref positions) in &self.segments {
            let positions = positions.clone();
            let count = positions.len() as i64;
            let logits = logits.f_narrow(0, start, count)?;
            start += count;
            let tokens = sequences.get(segment.0).cloned().unwrap_or_default();
            cut.push((segment, SequenceLogits { tokens, positions, logits }));
        }
        cut.sort_by_key(|&(segment, _)| segment);
        Ok(Logits::new(cut.into_iter().map(|(_, logits)| logits).collect()))
    }
}
