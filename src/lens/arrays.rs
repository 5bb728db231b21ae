//! Tensors as arrays, and where the positions of sequences stand in them.

use ndarray::{Array, ArrayD, Dimension, IxDyn};
use tch::{Device, Kind, Tensor};

use crate::batch::Batch;
use crate::error::{BatchError, Error, Result};
use crate::hook::Positions;
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

/// The positions of each sequence that are read.
#[derive(Debug, Clone)]
pub(super) struct ReadPositions(Vec<Vec<usize>>);

impl ReadPositions {
    /// # Errors
    /// [`PositionOutOfRange`](crate::error::SelectionError::PositionOutOfRange).
    pub fn new(positions: &Positions, batch: &Batch) -> Result<Self> {
        let sequences = batch.sequences().iter().enumerate();
        let read = sequences.map(|(sequence, tokens)| positions.indices(tokens.len(), sequence));
        Ok(Self(read.collect::<Result<_>>()?))
    }

    pub fn n_sequences(&self) -> usize {
        self.0.len()
    }

    /// The most that are read of any sequence.
    pub fn most(&self) -> usize {
        self.0.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// # Errors
    /// [`BatchError::NoSuchSequence`].
    pub fn of(&self, sequence: usize) -> Result<&[usize]> {
        let (given, len) = (sequence, self.0.len());
        Ok(self.0.get(given).ok_or(BatchError::NoSuchSequence { given, len })?)
    }

    /// The sequences and their positions.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &[usize])> {
        self.0.iter().map(Vec::as_slice).enumerate()
    }
}
