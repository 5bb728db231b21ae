//! An affine map, in GPT-2's layout.

use tch::Tensor;

use super::Loader;
use crate::error::Result;

/// `y = x W + b`, with W stored `[in, out]` (what Hugging Face calls Conv1D).
#[derive(Debug)]
pub(super) struct Linear {
    pub weight: Tensor,
    pub bias: Tensor,
}

impl Linear {
    pub fn load(loader: &Loader<'_>, name: &str) -> Result<Self> {
        Ok(Self {
            weight: loader.read(&format!("{name}.weight"))?,
            bias: loader.read(&format!("{name}.bias"))?,
        })
    }

    /// # Shapes
    /// - x: `[rows, in]`
    /// - result: `[rows, out]`
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.bias.f_addmm(x, &self.weight)?)
    }
}
