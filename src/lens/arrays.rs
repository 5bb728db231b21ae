//! Tensors as arrays.

use ndarray::{Array, ArrayD, Dimension, IxDyn};
use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};
use crate::scalar::numbers;

/// The same in f64, on the CPU.
pub(super) fn double(tensor: &Tensor) -> Result<Tensor> {
    Ok(tensor.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?)
}

/// A tensor as an array of as many axes.
pub(super) fn array<D: Dimension>(tensor: &Tensor) -> Result<Array<f64, D>> {
    let shape: Vec<usize> = tensor.size().iter().map(|&len| len as usize).collect();
    let array = ArrayD::from_shape_vec(IxDyn(&shape), numbers(tensor)?);
    let array = array.and_then(|array| array.into_dimensionality());
    array.map_err(|error| Error::Bug(format!("{shape:?} as an array: {error}")))
}
