//! The numbers of edits, in a run's number format.

use tch::{Kind, Tensor};

use crate::error::{InterventionError, Result};

/// Checks that a number stays finite in the number format `kind`.
pub(super) fn check_range(what: &'static str, given: f64, kind: Kind) -> Result<()> {
    if kind == Kind::Float && given.abs() > f64::from(f32::MAX) {
        return Err(InterventionError::OutOfRange { what, given, largest: f32::MAX.into() }.into());
    }
    Ok(())
}

/// A number as a tensor of no axes, for a product with `like`.
///
/// Not as a scalar of libtorch's: where a call that takes one fails, `tch` panics as it drops the scalar
/// (LaurentMazare/tch-rs, `Drop for Scalar`).
pub(super) fn number(value: f64, like: &Tensor) -> Result<Tensor> {
    let number = Tensor::f_from_slice(&[value])?.f_squeeze()?;
    Ok(number.f_to_kind(like.f_kind()?)?.f_to_device(like.device())?)
}
