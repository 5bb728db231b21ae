//! The space that some directions span.

use std::fmt;

use ndarray::{Array1, Array2, ArrayView1};
use tch::{Kind, Tensor};

use crate::error::{InterventionError, Result};
use crate::hook::{Part, TensorForm};
use crate::scalar::numbers;
use crate::shared_tensor::SharedTensor;
use crate::site::SiteShape;

/// How many roundings of its number format a direction must be away from the span of those before it, as a share of its
/// length.
const ROUNDINGS: f64 = 16.0;

/// The span of one or several directions, which need be neither orthogonal nor of length 1.
pub(super) struct Subspace {
    /// As they were given.
    given: SharedTensor,
    /// Orthonormal rows, in f64 on the CPU.
    basis: SharedTensor,
}

/// Edits show it, and name hooks by that: as the directions that were given.
impl fmt::Debug for Subspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.given.fmt(f)
    }
}

impl Subspace {
    /// The span of `directions`.
    ///
    /// # Shapes
    /// - directions: `[width]` or `[directions, width]`
    pub fn of(directions: &Tensor) -> Result<Self> {
        let form = TensorForm::of(directions)?;
        let given = form.to_string();
        let (rows, width) = match form.size[..] {
            [width] if width > 0 => (1, width as usize),
            [rows, width] if rows > 0 && width > 0 => (rows as usize, width as usize),
            _ => return Err(InterventionError::Directions { given }.into()),
        };
        let rounding = match form.kind {
            Kind::Double => f64::EPSILON,
            Kind::Float => f32::EPSILON.into(),
            Kind::Half => 2.0_f64.powi(-10),
            Kind::BFloat16 => 2.0_f64.powi(-7),
            _ => return Err(InterventionError::Directions { given }.into()),
        };
        let all = Array2::from_shape_vec((rows, width), numbers(directions)?);
        let all = all.map_err(|_| InterventionError::Directions { given })?;
        let mut basis: Vec<Array1<f64>> = Vec::new();
        for (row, direction) in all.outer_iter().enumerate() {
            basis.push(orthonormal(row, direction, &basis, ROUNDINGS * rounding)?);
        }
        let flat: Vec<f64> = basis.iter().flatten().copied().collect();
        let basis = Tensor::f_from_slice(&flat)?.f_view([rows as i64, width as i64])?;
        Ok(Self { given: SharedTensor::new(directions)?, basis: SharedTensor::from_own(basis) })
    }

    /// The directions as they were given.
    pub fn tensor(&self) -> &Tensor {
        &self.given
    }

    /// Checks that what is selected are vectors of this space.
    pub fn check(&self, part: &Part<'_>) -> Result<()> {
        if matches!(part.site.shape(), SiteShape::Attention | SiteShape::PerPosition) {
            let allowed = "all but attn_scores, pattern and the scales of layer norms";
            return Err(InterventionError::EditSite { allowed }.into());
        }
        let given = self.basis.size().last().map_or(0, |&width| width as usize);
        let needed = part.last_axis.len();
        if given != needed {
            return Err(InterventionError::DirectionWidth { given, needed }.into());
        }
        Ok(())
    }

    /// What of each vector lies in the space: `Bᵀ B x`, for the orthonormal rows of `B`.
    pub fn part_of(&self, vectors: &Tensor) -> Result<Tensor> {
        let basis = self.basis.f_to_kind(vectors.f_kind()?)?.f_to_device(vectors.device())?;
        Ok(vectors.f_matmul(&basis.f_transpose(0, 1)?)?.f_matmul(&basis)?)
    }
}

/// What a direction adds to the span of `basis`, of length 1.
///
/// Gram and Schmidt, twice: once leaves roundings along `basis` that may be as large as what is new (Giraud, Langou and
/// Rozložník, "The loss of orthogonality in the Gram-Schmidt orthogonalization process", 2005).
fn orthonormal(
    row: usize,
    direction: ArrayView1<'_, f64>,
    basis: &[Array1<f64>],
    least: f64,
) -> Result<Array1<f64>> {
    if !direction.iter().all(|number| number.is_finite()) {
        return Err(InterventionError::NonFiniteDirection { row }.into());
    }
    let largest = direction.fold(0.0_f64, |largest, number| largest.max(number.abs()));
    if largest == 0.0 {
        return Err(InterventionError::ZeroDirection { row }.into());
    }
    // Squares of the largest and of the smallest numbers leave their range.
    let mut new = &direction / largest;
    new /= new.dot(&new).sqrt();
    for _ in 0..2 {
        for earlier in basis {
            let along = new.dot(earlier);
            new.scaled_add(-along, earlier);
        }
        let share = new.dot(&new).sqrt();
        if share <= least {
            return Err(InterventionError::DependentDirection { row }.into());
        }
        new /= share;
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_basis_of_nearly_parallel_directions_is_orthonormal_and_spans_them() {
        let near = Array1::from_iter((0..40).map(|i| f64::from(i * i % 17) - 3.0));
        let mut basis = Vec::new();
        for row in 0..4 {
            let mut direction = near.clone();
            direction[row] *= 1.0 + 1e-9;
            // Squares of these are out of range.
            let huge = &direction * 1e300;
            basis.push(orthonormal(row, huge.view(), &basis, 1e-14).unwrap());
            let mut left = direction;
            for (earlier, one) in basis.iter().enumerate() {
                for (other, another) in basis.iter().enumerate() {
                    let expected = f64::from(u8::from(earlier == other));
                    assert!((one.dot(another) - expected).abs() < 1e-14, "{earlier} {other}");
                }
                let along = left.dot(one);
                left.scaled_add(-along, one);
            }
            assert!(left.dot(&left).sqrt() < 1e-13, "{left}");
        }
    }
}
