//! A tensor that is laid over what a hook selects.

use std::fmt;

use tch::Tensor;

use crate::error::{InterventionError, Result};
use crate::hook::{Part, TensorForm};
use crate::shared_tensor::SharedTensor;
use crate::site::SiteShape;

/// A tensor of an edit. Its axes are the last ones of what is selected; those that it lacks, or that
/// have length 1, are repeated.
pub(super) struct Overlay(SharedTensor);

/// Edits show it, and name hooks by that: as the tensor itself.
impl fmt::Debug for Overlay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Overlay {
    /// Keeps a copy of `value`, so that nothing changes behind a registry's back.
    ///
    /// # Errors
    /// [`NotDense`](crate::Error::NotDense).
    pub fn new(value: &Tensor) -> Result<Self> {
        TensorForm::of(value)?;
        Ok(Self(SharedTensor::new(value)?))
    }

    /// The tensor as it was given.
    pub fn tensor(&self) -> &Tensor {
        &self.0
    }

    /// Checks that the tensor can be laid over `selected`.
    pub fn check(&self, selected: &TensorForm) -> Result<()> {
        let own = TensorForm::of(&self.0)?;
        let mut from_last = own.size.iter().rev().zip(selected.size.iter().rev());
        let fits = own.size.len() <= selected.size.len()
            && from_last.all(|(own, selected)| own == selected || *own == 1);
        if fits && (own.kind, own.device) == (selected.kind, selected.device) {
            return Ok(());
        }
        Err(InterventionError::Replacement { given: own.to_string(), needed: selected.to_string() }
            .into())
    }

    /// The tensor in the shape of `selected`, which is `part`: where that is a share of what the hook
    /// selects, so is this.
    pub fn over(&self, selected: &Tensor, part: &Part<'_>) -> Result<Tensor> {
        let axes = part.site.shape();
        let mut shares = vec![(axes.positions(), part.positions_before, part.positions.len())];
        if axes == SiteShape::Attention {
            shares.push((axes.count() - 1, 0, part.last_axis.len()));
        }
        let mut value = self.0.shallow_clone();
        for (axis, start, len) in shares {
            // SiteShape are counted from the last one: the tensor may lack the first ones.
            let Some(own) = (value.dim() + axis).checked_sub(axes.count()) else { continue };
            if ![1, len as i64].contains(&value.size()[own]) {
                value = value.f_narrow(own as i64, start as i64, len as i64)?;
            }
        }
        Ok(value.f_expand(selected.size(), false)?)
    }

    /// Whether the tensor, laid over `part` of an attention pattern, has anything but zero where keys are
    /// later than their queries.
    pub fn shows_later_keys(&self, part: &Part<'_>) -> Result<bool> {
        if !part.site.is_pattern() {
            return Ok(false);
        }
        let mut size = self.0.size();
        let square = [part.positions.len() as i64, part.last_axis.len() as i64];
        size.truncate(size.len().saturating_sub(square.len()));
        size.extend(square);
        part.shows_later_keys(&self.0.f_expand(&size[..], false)?)
    }
}
