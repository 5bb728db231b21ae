//! A tensor that is laid over what a hook selects.

use tch::Tensor;

use crate::error::{Error, Result};
use crate::hook::TensorForm;

/// A tensor of an edit. Its axes are the last ones of what is selected; those that it lacks, or that
/// have length 1, are repeated.
#[derive(Debug)]
pub(super) struct Overlay(Tensor);

impl Overlay {
    /// Keeps a copy of `value`, so that nothing changes behind a registry's back.
    pub fn new(value: &Tensor) -> Result<Self> {
        Ok(Self(value.f_detach_copy()?))
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
        Err(Error::Replacement { given: own.to_string(), needed: selected.to_string() })
    }

    /// The tensor in the shape of `selected`.
    pub fn over(&self, selected: &Tensor) -> Result<Tensor> {
        Ok(self.0.f_expand(selected.size(), false)?)
    }
}
