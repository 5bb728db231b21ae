//! Means in place of activations.

use std::fmt;

use tch::Tensor;

use crate::error::{InterventionError, Result};
use crate::hook::{Averaging, Edit, MeanActivations, Mixing, Part, TensorForm};
use crate::shared_tensor::SharedTensor;
use crate::site::{Site, SiteShape};

/// Replaces the selected activations by their mean over reference prompts: mean ablation.
///
/// A mean by position gives each position that of the same position, and one over tokens is the same everywhere. A part of
/// a site gets that part of the mean. It is rounded to the run's kind and brought to its device.
pub struct MeanAblation {
    site: Site,
    pub(super) averaging: Averaging,
    pub(super) mean: SharedTensor,
}

/// Says what the mean is over, since that names the hook in errors and in the ledger.
impl fmt::Debug for MeanAblation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let averaging = match self.averaging {
            Averaging::OverTokens => "over_tokens",
            Averaging::ByPosition => "by_position",
        };
        f.debug_struct("MeanAblation").field(averaging, &self.mean).finish()
    }
}

impl MeanAblation {
    /// Replacement by the mean of `site`, where the hook is to stand.
    ///
    /// # Errors
    /// [`NoMean`](crate::error::CaptureError::NoMean). Whether the model has that site, and the averaged sequences as many
    /// positions as those of the run, is checked before each run.
    pub fn new(site: Site, means: &MeanActivations) -> Result<Self> {
        Ok(Self::of(site, means.averaging(), means.of(site)?.shared_mean().clone()))
    }

    pub(super) fn of(site: Site, averaging: Averaging, mean: SharedTensor) -> Self {
        Self { site, averaging, mean }
    }

    /// Checks that the model and the sequences of a part are those of the mean.
    fn check_shape(&self, part: &Part<'_>) -> Result<()> {
        if part.site != self.site {
            return Err(InterventionError::MeanOfOtherSite { mean_of: self.site }.into());
        }
        let (given, shape) = (self.mean.size(), self.site.shape());
        let len = self.positions();
        let mut needed = match shape {
            SiteShape::Attention => vec![len.unwrap_or(0)],
            _ => vec![part.width],
        };
        if shape.heads().is_some() {
            needed.insert(0, part.n_heads);
        }
        if let Some(len) = len {
            needed.insert(shape.positions() - 1, len);
        }
        if !given.iter().map(|&len| len as usize).eq(needed.iter().copied()) {
            let axes = shape.to_string().replace("batch, ", "");
            let needed = match self.averaging {
                Averaging::OverTokens => axes.replace("query_pos, ", "").replace("pos, ", ""),
                Averaging::ByPosition => axes,
            };
            return Err(InterventionError::MeanShape { given, needed }.into());
        }
        let keys = if shape == SiteShape::Attention { part.last_axis } else { &[] };
        match (len, part.positions.iter().chain(keys).max()) {
            (Some(len), Some(&given)) if given >= len => {
                Err(InterventionError::NoMeanAtPosition { given, len }.into())
            }
            _ => Ok(()),
        }
    }

    /// The number of averaged positions, if there is a mean for each.
    fn positions(&self) -> Option<usize> {
        let axis = self.site.shape().positions() - 1;
        let len = self.mean.size().get(axis).map_or(0, |&len| len as usize);
        (self.averaging == Averaging::ByPosition).then_some(len)
    }

    /// The mean of a part, `[1, …]` with all axes of the site: repeated, it has the part's shape.
    fn mean_of(&self, part: &Part<'_>) -> Result<Tensor> {
        self.check_shape(part)?;
        let shape = self.site.shape();
        // One axis of the batch, and one of the positions where there is none.
        let mut mean = self.mean.f_unsqueeze(0)?;
        let positions = shape.positions() as i64;
        mean = match self.averaging {
            Averaging::OverTokens => mean.f_unsqueeze(positions)?,
            Averaging::ByPosition => along(&mean, positions, part.positions)?,
        };
        if let Some(heads) = shape.heads() {
            mean = along(&mean, heads as i64, part.heads)?;
        }
        along(&mean, shape.count() as i64 - 1, part.last_axis)
    }
}

/// The entries of a tensor at some indices of an axis.
fn along(tensor: &Tensor, axis: i64, indices: &[usize]) -> Result<Tensor> {
    if indices.iter().copied().eq(0..tensor.size()[axis as usize] as usize) {
        return Ok(tensor.shallow_clone());
    }
    let indices: Vec<i64> = indices.iter().map(|&index| index as i64).collect();
    let indices = Tensor::f_from_slice(&indices)?.f_to_device(tensor.device())?;
    Ok(tensor.f_index_select(axis, &indices)?)
}

impl Edit for MeanAblation {
    fn check(&self, _selected: &TensorForm, part: &Part<'_>) -> Result<()> {
        self.check_shape(part)
    }

    fn mixing(&self, part: &Part<'_>) -> Result<Mixing> {
        // Only the mean of a pattern whose mask an edit had lifted.
        let mixes = part.site.is_pattern() && part.shows_later_keys(&self.mean_of(part)?)?;
        Ok(if mixes { Mixing::Always } else { Mixing::Never })
    }

    fn overwrites(&self) -> bool {
        true
    }

    fn apply(&self, selected: &Tensor, part: &Part<'_>) -> Result<Tensor> {
        let mean = self.mean_of(part)?.f_to_kind(selected.f_kind()?)?;
        // A copy: what a run gives back must not be the registry's own tensor.
        Ok(mean.f_to_device(selected.device())?.f_expand_copy(selected.size(), false)?)
    }
}
