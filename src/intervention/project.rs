//! Activations without some directions, or with nothing else.

use tch::Tensor;

use super::subspace::Subspace;
use crate::error::Result;
use crate::hook::{Edit, Mixing, Part, TensorForm};

/// Takes out of each selected vector what lies along a direction, or in the span of several:
///
/// ```text
/// x - Bᵀ B x
/// ```
///
/// where the rows of `B` are an orthonormal basis of the span; for one direction `r`, `x - (x · r) r / (r · r)`.
/// Directional ablation (Arditi et al., "Refusal in Language Models Is Mediated by a Single Direction", 2024); of the
/// directions that linear probes found, the projection of INLP (Ravfogel et al., "Null It Out", 2020).
///
/// Directions need be neither orthogonal nor of length 1. They may be of any floating-point format and on any device.
/// Sites have vectors but for `attn_scores`, `pattern` and the scales of layer norms; of one that has heads, each
/// selected head's vector is projected.
#[derive(Debug)]
pub struct ProjectOut {
    pub(super) directions: Subspace,
}

/// Leaves of each selected vector only what lies along a direction, or in the span of several: `Bᵀ B x`, what
/// [`ProjectOut`] takes out.
#[derive(Debug)]
pub struct KeepOnly {
    pub(super) directions: Subspace,
}

impl ProjectOut {
    /// Removal of the span of `directions`, which is copied.
    ///
    /// # Shapes
    /// - directions: `[width]` or `[directions, width]`; `width` is the length of the last axis of what is selected
    ///
    /// # Errors
    /// [`NotDense`](crate::Error::NotDense), and those of
    /// [`InterventionError`](crate::error::InterventionError) that name a direction by its row: `ZeroDirection`,
    /// `NonFiniteDirection`, `DependentDirection`; `Directions` for another shape or kind. Whether the width fits is
    /// checked before each run.
    pub fn new(directions: &Tensor) -> Result<Self> {
        Ok(Self { directions: Subspace::of(directions)? })
    }
}

impl KeepOnly {
    /// Projection onto the span of `directions`, which is copied.
    ///
    /// # Shapes
    /// As for [`ProjectOut::new`].
    ///
    /// # Errors
    /// Those of [`ProjectOut::new`].
    pub fn new(directions: &Tensor) -> Result<Self> {
        Ok(Self { directions: Subspace::of(directions)? })
    }
}

impl Edit for ProjectOut {
    fn check(&self, _selected: &TensorForm, part: &Part<'_>) -> Result<()> {
        self.directions.check(part)
    }

    fn mixing(&self, _part: &Part<'_>) -> Result<Mixing> {
        Ok(Mixing::Never)
    }

    fn apply(&self, selected: &Tensor, _part: &Part<'_>) -> Result<Tensor> {
        Ok(selected.f_sub(&self.directions.part_of(selected)?)?)
    }
}

impl Edit for KeepOnly {
    fn check(&self, _selected: &TensorForm, part: &Part<'_>) -> Result<()> {
        self.directions.check(part)
    }

    fn mixing(&self, _part: &Part<'_>) -> Result<Mixing> {
        Ok(Mixing::Never)
    }

    fn apply(&self, selected: &Tensor, _part: &Part<'_>) -> Result<Tensor> {
        self.directions.part_of(selected)
    }
}
