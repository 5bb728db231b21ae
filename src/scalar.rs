//! Numbers for libtorch, as tensors, and from it.

use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};

/// A number as a tensor of no axes, in the number format of `like`.
///
/// Not as a scalar of libtorch's: where a call that takes one fails, for want of memory say, `tch` panics as it drops
/// the scalar (`Drop for Scalar`), and `clippy.toml` forbids all such calls. It lies on the CPU, from where libtorch
/// takes a single number beside tensors of any device, and waits for none.
pub(crate) fn scalar(value: f64, like: &Tensor) -> Result<Tensor> {
    let number = Tensor::f_from_data_size(&value.to_ne_bytes(), &[], Kind::Double)?;
    Ok(number.f_to_kind(like.f_kind()?)?)
}

/// An empty vector with room for `len` numbers: of as many as a tensor may have, where too little memory must be an
/// error. A vector that grows by itself ends the process.
pub(crate) fn reserved<T>(len: usize) -> Result<Vec<T>> {
    let mut numbers = Vec::new();
    let too_large = |_| Error::OutOfMemory { bytes: len.checked_mul(size_of::<T>()) };
    numbers.try_reserve_exact(len).map_err(too_large)?;
    Ok(numbers)
}

/// The numbers of a tensor, in f64, one after the other.
pub(crate) fn numbers(tensor: &Tensor) -> Result<Vec<f64>> {
    let tensor = tensor.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?;
    let len = tensor.numel();
    let mut numbers = reserved(len)?;
    numbers.resize(len, 0.0);
    tensor.f_copy_data(&mut numbers, len)?;
    Ok(numbers)
}
