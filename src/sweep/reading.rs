//! What is read of a sweep: logits, one variant and position after the other.

use ndarray::{Array2, ArrayView1};

use super::plan::Plan;
use super::variants::{Axis, VariantId};
use crate::error::{Result, RunError};

/// The logits of a variant, or of a base, at one scored position, beside those of the base.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Reading<'a> {
    /// The variant's index along each axis of the variants; `None` if this is a base itself.
    pub index: Option<&'a [usize]>,
    /// The axes of the variants.
    pub axes: &'a [Axis],
    /// Index of the sequence in the batch.
    pub sequence: usize,
    /// The position in the sequence.
    pub position: usize,
    /// The number of the position among the scored ones of the sequence.
    pub scored: usize,
    /// The token that follows there in the sequence; `None` at its end.
    pub next_token: Option<u32>,
    /// `[d_vocab]`
    pub logits: ArrayView1<'a, f64>,
    /// The base's, `[d_vocab]`
    pub base: ArrayView1<'a, f64>,
}

impl<'a> Reading<'a> {
    /// The variant's label along each axis of the variants; none if this is a base itself.
    pub fn labels(&self) -> impl Iterator<Item = &'a str> {
        let along = self.axes.iter().zip(self.index.unwrap_or_default());
        along.map(|(axis, &index)| &*axis.labels[index])
    }

    /// Checks that no logit is NaN, of the base neither.
    pub(super) fn check_numbers(&self) -> Result<()> {
        let has_nan = |logits: &ArrayView1<'_, f64>| logits.iter().any(|logit| logit.is_nan());
        if has_nan(&self.logits) || has_nan(&self.base) {
            let Self { sequence, position, .. } = *self;
            return Err(RunError::NotANumber { sequence, position }.into());
        }
        Ok(())
    }
}

/// Logits at scored positions, `[position, d_vocab]`.
pub(super) type Rows = Array2<f64>;

/// Who is told of every reading, and whose it is: a variant's, or a base's.
pub(super) type Visitor<'v> = dyn FnMut(Option<VariantId>, &Reading<'_>) -> Result<()> + 'v;

impl Plan<'_> {
    /// Shows the scored rows of a variant, or of a base, to a visitor.
    pub(super) fn show(
        &self,
        variant: Option<VariantId>,
        sequence: usize,
        logits: &Rows,
        base: &Rows,
        visit: &mut Visitor<'_>,
    ) -> Result<()> {
        let index = variant.map(|id| self.variants.index(id.point));
        let tokens = &self.sweep.batch.sequences()[sequence];
        for (scored, &position) in self.scored[sequence].iter().enumerate() {
            let reading = Reading {
                index: index.as_deref(),
                axes: self.variants.axes(),
                sequence,
                position,
                scored,
                next_token: tokens.get(position + 1).copied(),
                logits: logits.row(scored),
                base: base.row(scored),
            };
            visit(variant, &reading)?;
        }
        Ok(())
    }
}
