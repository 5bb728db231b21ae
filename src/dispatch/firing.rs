//! One hook fires: what it returns is checked, what it changed is measured.

use tch::{Device, Kind, Tensor};

use crate::error::{HookError, Result, RunError};
use crate::hook::{Hook, Part, TensorForm};
use crate::layout::SegmentGroup;
use crate::scalar::scalar;
use crate::site::Site;

/// Lets one hook edit what it selects.
pub(super) fn fire(
    hook: &Hook,
    selected: &Tensor,
    part: &Part<'_>,
    in_steps: bool,
) -> Result<Tensor> {
    let name = || format!("{:?}", hook.edit());
    let site = hook.site();
    let version = selected.f_internal_version()?;
    let failed = |source| HookError::EditFailed { hook: name(), site, source: Box::new(source) };
    let edited = hook.edit().apply(selected, part).map_err(failed)?;
    if selected.f_internal_version()? != version {
        return Err(HookError::WroteInPlace { hook: name(), site }.into());
    }
    let (given, returned) = (TensorForm::of(selected)?, TensorForm::of(&edited).map_err(failed)?);
    if given != returned {
        let (given, returned) = (given.to_string(), returned.to_string());
        return Err(HookError::EditResult { hook: name(), site, given, returned }.into());
    }
    if site.is_scores() {
        // A key that the mask or a knock-out hides stays hidden, whatever an edit makes of infinity.
        return Ok(selected.f_where_self(&selected.f_isneginf()?, &edited)?);
    }
    // Where positions come one after the other, an edit that shows a query later keys would do something
    // else at every length of the text.
    if in_steps && site.is_pattern() && part.shows_later_keys(&edited)? {
        return Err(HookError::LiftsMask { hook: name(), site }.into());
    }
    Ok(edited)
}

/// The L2 norm of what an edit changed, as a tensor of no axes: a device need not be waited for.
pub(super) fn change(site: Site, edited: &Tensor, given: &Tensor) -> Result<Tensor> {
    let mut change = edited.f_detach()?.f_sub(&given.f_detach()?)?;
    if site.is_scores() {
        // Where a key is hidden, negative infinity minus itself is no change.
        change = change.f_masked_fill_tensor(&given.f_isneginf()?, &scalar(0.0, &change)?)?;
    }
    if change.device() != Device::Mps {
        return Ok(change.f_to_kind(Kind::Double)?.f_norm()?);
    }
    // This device has no f64, and squares of f32 leave their range early.
    let least = scalar(f32::MIN_POSITIVE.into(), &change)?.f_to_device(change.device())?;
    let largest = change.f_abs()?.f_max()?.f_clamp_min_tensor(&least)?;
    Ok(change.f_div(&largest)?.f_norm()?.f_mul(&largest)?)
}

/// Names the first element of a group's tensor that is NaN or infinite.
pub(super) fn check_finite(site: Site, group: &SegmentGroup, state: &Tensor) -> Result<()> {
    if site.is_scores() {
        // Where the causal mask holds, negative infinity is as it should be.
        return Ok(());
    }
    let bad = state.f_isfinite()?.f_logical_not()?.f_nonzero()?;
    if bad.size()[0] == 0 {
        return Ok(());
    }
    let index = |axis| -> Result<usize> { Ok(bad.f_int64_value(&[0, axis])? as usize) };
    let row = index(site.shape().positions() as i64)?;
    let (sequence, position) = (group.segments[index(0)?].sequence, group.span.start + row);
    Err(RunError::NonFiniteAt { site, sequence, position }.into())
}
