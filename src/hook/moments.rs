//! Mean and variance, on the way.

use tch::{Device, Kind, Tensor};

use crate::error::{AnalysisError, CaptureError, Result};
use crate::scalar::scalar;

/// Mean and variance over positions: of one sequence, or of as many as were merged.
///
/// Kept in f64 and merged by the parallel formula (Chan, Golub, LeVeque 1979), so that the mean over a
/// corpus takes the memory of one vector.
#[derive(Debug)]
pub struct Moments {
    count: usize,
    mean: Tensor,
    /// The sum of squared differences from the mean.
    squares: Tensor,
}

impl Moments {
    pub(super) fn new(count: usize, mean: Tensor, squares: Tensor) -> Self {
        Self { count, mean, squares }
    }

    /// Of nothing: what merging begins with.
    ///
    /// # Errors
    /// [`Error::Torch`](crate::Error::Torch).
    pub fn empty() -> Result<Self> {
        let zero = || Tensor::f_zeros([1], (Kind::Double, Device::Cpu));
        Ok(Self { count: 0, mean: zero()?, squares: zero()? })
    }

    /// How many positions they are of.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The mean, in f64.
    pub fn mean(&self) -> &Tensor {
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
        Ok(Self {
            count,
            mean: self.mean.f_add(&shift)?,
            squares: self.squares.f_add(&other.squares)?.f_add(&between)?,
        })
    }
}

impl Clone for Moments {
    /// Shares the memory, which nothing writes to.
    fn clone(&self) -> Self {
        let [mean, squares] = [self.mean.shallow_clone(), self.squares.shallow_clone()];
        Self { count: self.count, mean, squares }
    }
}
