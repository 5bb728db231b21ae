//! The numbers of edits, in a run's number format.

use tch::Kind;

use crate::error::{InterventionError, Result};

/// Checks that a number stays finite in the number format `kind`.
pub(super) fn check_range(what: &'static str, given: f64, kind: Kind) -> Result<()> {
    if kind == Kind::Float && given.abs() > f64::from(f32::MAX) {
        return Err(InterventionError::OutOfRange { what, given, largest: f32::MAX.into() }.into());
    }
    Ok(())
}
