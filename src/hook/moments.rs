//! Mean and variance, on the way.

use tch::{Device, Kind, Tensor};

use crate::error::{AnalysisError, CaptureError, Result};
use crate::scalar::scalar;
use crate::shared_tensor::SharedTensor;

/// Mean and variance over positions, of one sequence or of as many as were merged; in
/// [`MeanActivations`](super::MeanActivations) by position, also those of each position over sequences.
///
/// Kept in f64 and merged by the parallel formula (Chan, Golub, LeVeque 1979), so that the mean over a
/// corpus takes the memory of one vector.
///
/// A clone shares their memory, which nothing writes to.
#[derive(Debug, Clone)]
pub struct Moments {
    count: usize,
    mean: SharedTensor,
    /// The sum of squared differences from the mean.
    squares: SharedTensor,
}

impl Moments {
    pub(super) fn new(count: usize, mean: Tensor, squares: Tensor) -> Self {
        let [mean, squares] = [mean, squares].map(SharedTensor::from_own);
        Self { count, mean, squares }
    }

    /// Of some tensors of one shape, element by element.
    pub(crate) fn of_tensors(tensors: &[Tensor]) -> Result<Self> {
        let all = Tensor::f_stack(tensors, 0)?.f_to_kind(Kind::Double)?;
        let mean = all.f_mean_dim(0, false, Kind::Double)?;
        let squares = all.f_sub(&mean)?.f_square()?.f_sum_dim_intlist(0, false, Kind::Double)?;
        Ok(Self::new(tensors.len(), mean, squares))
    }

    /// Of nothing: what merging begins with.
    ///
    /// # Errors
    /// [`Error::Torch`](crate::Error::Torch).
    pub fn empty() -> Result<Self> {
        let zero = || Tensor::f_zeros([1], (Kind::Double, Device::Cpu));
        Ok(Self::new(0, zero()?, zero()?))
    }

    /// How many positions they are of; by position, how many sequences.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The mean, in f64.
    pub fn mean(&self) -> &Tensor {
        &self.mean
    }

    /// The same, to be held by an edit.
    pub(crate) fn shared_mean(&self) -> &SharedTensor {
        &self.mean
    }

    /// The sum of squared differences from the mean.
    pub(super) fn squares(&self) -> &Tensor {
        &self.squares
    }

    /// The variance, the squares divided by [`count`](Self::count), in f64.
    ///
    /// # Errors
    /// [`AnalysisError::TooFewValues`] of nothing.
    pub fn variance(&self) -> Result<Tensor> {
        if self.count == 0 {
            return Err(
                AnalysisError::TooFewValues { statistic: "variance", given: 0, needed: 1 }.into()
            );
        }
        Ok(self.squares.f_div(&scalar(self.count as f64, &self.squares)?)?)
    }

    /// The moments of both together.
    ///
    /// # Errors
    /// [`CaptureError::MomentsShape`] for moments of another site.
    pub fn merge(&self, other: &Self) -> Result<Self> {
        if self.count == 0 {
            return Ok(other.clone());
        }
        if other.count == 0 {
            return Ok(self.clone());
        }
        if self.mean.size() != other.mean.size() {
            let (left, right) = (self.mean.size(), other.mean.size());
            return Err(CaptureError::MomentsShape { left, right }.into());
        }
        let count = self.count + other.count;
        let share = other.count as f64 / count as f64;
        let difference = other.mean.f_sub(&self.mean)?;
        let weight = scalar(self.count as f64 * share, &difference)?;
        let between = difference.f_square()?.f_mul(&weight)?;
        let shift = difference.f_mul(&scalar(share, &difference)?)?;
        let squares = self.squares.f_add(&other.squares)?.f_add(&between)?;
        Ok(Self::new(count, self.mean.f_add(&shift)?, squares))
    }
}
