//! What was kept of a site's tensor.

use tch::Tensor;

use super::capture_spec::Reduction;
use super::{CaptureSpec, Moments};
use crate::error::Result;
use crate::site::SiteShape;

/// What was kept of one group's tensor.
#[derive(Debug)]
pub struct Kept {
    /// How many positions it covers.
    pub(super) count: usize,
    /// One tensor, or two of those captures that need two, with the axis `batch` first.
    pub(super) tensors: [Option<Tensor>; 2],
}

impl Kept {
    /// One of the tensors, of one segment of the group.
    pub(super) fn row(&self, which: usize, row: i64) -> Result<Tensor> {
        // Every reduction fills the tensors that its lookup reads.
        let undefined = Tensor::new();
        Ok(self.tensors[which].as_ref().unwrap_or(&undefined).f_select(0, row)?)
    }

    /// The same with the axis `batch`; `None` if no such tensor is kept.
    fn batch_of_one(&self, which: usize, row: i64) -> Option<Result<Tensor>> {
        let tensor = self.tensors[which].as_ref()?;
        Some(tensor.f_narrow(0, row, 1).map_err(Into::into))
    }

    /// Those of one segment.
    pub(super) fn moments(&self, row: i64) -> Result<Moments> {
        Ok(Moments::new(self.count, self.row(0, row)?, self.row(1, row)?))
    }
}

impl CaptureSpec {
    /// What was kept of one segment step by step, as one run over all its positions keeps it.
    ///
    /// # Shapes
    /// - result: the axes of the site, one segment in `batch`
    pub(crate) fn joined(&self, steps: &[(&Kept, i64)]) -> Result<Kept> {
        if self.reduction == Reduction::Moments {
            let mut all = Moments::empty()?;
            for (kept, row) in steps {
                all = all.merge(&kept.moments(*row)?)?;
            }
            let tensors = [all.mean(), all.squares()].map(|of| Some(of.f_unsqueeze(0)));
            let [mean, squares] = tensors.map(Option::transpose);
            return Ok(Kept { count: all.count(), tensors: [mean?, squares?] });
        }
        let pos = self.site.shape().positions() as i64;
        let joined = |which: usize| -> Result<Option<Tensor>> {
            let rows = steps.iter().map(|(kept, row)| kept.batch_of_one(which, *row));
            let Some(rows) = rows.collect::<Option<Result<Vec<Tensor>>>>() else { return Ok(None) };
            Ok(Some(Tensor::f_cat(&self.as_wide(rows?)?, pos)?))
        };
        let count = steps.iter().map(|(kept, _)| kept.count).sum();
        Ok(Kept { count, tensors: [joined(0)?, joined(1)?] })
    }

    /// Attention over as many keys at each step as at the last one: later keys are not seen.
    fn as_wide(&self, rows: Vec<Tensor>) -> Result<Vec<Tensor>> {
        if self.site.shape() != SiteShape::Attention || self.reduction != Reduction::Whole {
            return Ok(rows);
        }
        let keys = |row: &Tensor| row.size().last().copied().unwrap_or(0);
        let widest = rows.iter().map(keys).max().unwrap_or(0);
        let wide = |row: Tensor| -> Result<Tensor> {
            let mut size = row.size();
            if let Some(last) = size.last_mut() {
                *last = widest - *last;
            }
            let mut unseen = row.f_new_zeros(&size, (row.f_kind()?, row.device()))?;
            if self.site.is_scores() {
                // Negative infinity.
                unseen = unseen.f_log()?;
            }
            Ok(Tensor::f_cat(&[row, unseen], -1)?)
        };
        rows.into_iter().map(wide).collect()
    }

    /// The tensors that were kept of one segment, each with what tells it from the others.
    pub(crate) fn parts(&self, kept: &Kept, row: i64) -> Result<Vec<(&'static str, Tensor)>> {
        Ok(match self.reduction {
            Reduction::Whole | Reduction::Norm => vec![("", kept.row(0, row)?)],
            Reduction::TopK(_) => {
                vec![(" values", kept.row(0, row)?), (" indices", kept.row(1, row)?)]
            }
            Reduction::Moments => {
                let moments = kept.moments(row)?;
                let count = Tensor::f_from_slice(&[moments.count() as i64])?.f_select(0, 0)?;
                let variance = moments.variance()?;
                let mean = moments.mean().shallow_clone();
                vec![(" mean", mean), (" variance", variance), (" count", count)]
            }
        })
    }
}
