//! Two tensors that should be the same.

use tch::{Device, Kind, Tensor};

use super::identity::Bound;
use super::roundings;
use crate::error::Result;
use crate::model::{Gpt2, Logits};

/// The largest difference of two tensors of one kind; NaN if their shapes differ. Infinities of one sign
/// are equal, as behind the causal mask.
pub(super) fn largest_difference(a: &Tensor, b: &Tensor) -> Result<f64> {
    if a.size() != b.size() {
        return Ok(f64::NAN);
    }
    let b = b.f_to_device(a.device())?;
    if a.f_equal(&b)? {
        return Ok(0.0);
    }
    // What is nearly equal is subtracted without a rounding: no need of f64.
    let difference = a.f_sub(&b)?.f_abs()?;
    let zero = difference.f_zeros_like()?;
    let difference = difference.f_where_self(&a.f_ne_tensor(&b)?, &zero)?;
    Ok(difference.f_max()?.f_double_value(&[])?)
}

/// The largest magnitude in a tensor.
pub(super) fn largest(tensor: &Tensor) -> Result<f64> {
    Ok(tensor.f_abs()?.f_max()?.f_double_value(&[])?)
}

/// The tensor in f64 on the CPU: not every device has f64.
pub(super) fn double(tensor: &Tensor) -> Result<Tensor> {
    Ok(tensor.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?)
}

/// The difference of the logits of one sequence, and what roundings allow.
pub(super) fn of_logits(model: &Gpt2, a: &Tensor, b: &Tensor) -> Result<(f64, Bound)> {
    let allowed = roundings::of_logits(model.precision(), largest(a)?.max(largest(b)?));
    Ok((largest_difference(a, b)?, Bound::AtMost(allowed)))
}

/// The largest difference over the sequences of two runs, whatever it may be.
pub(super) fn of_all_logits(a: &Logits, b: &Logits, n_sequences: usize) -> Result<f64> {
    let mut largest = 0.0;
    for sequence in 0..n_sequences {
        let difference = largest_difference(a.tensor(sequence)?, b.tensor(sequence)?)?;
        if difference.is_nan() || difference > largest {
            largest = difference;
        }
    }
    Ok(largest)
}
