//! An affine map, in GPT-2's layout.

use tch::{Device, Kind, Tensor};

use super::Loader;
use crate::error::Result;

/// `y = x W + b`, with W stored `[in, out]` (what Hugging Face calls Conv1D).
#[derive(Debug)]
pub(super) struct Linear {
    weight: Weight,
    pub bias: Tensor,
}

#[derive(Debug)]
enum Weight {
    /// `[in, out]`
    Dense(Tensor),
    /// `[out, in]`, as oneDNN takes it: its products are up to three times as fast as those of libtorch's
    /// BLAS, the more so the fewer the rows. It has no f64 and no GPUs.
    OneDnn(Tensor),
}

impl Linear {
    pub fn load(loader: &Loader<'_>, name: &str) -> Result<Self> {
        let weight = loader.read(&format!("{name}.weight"))?;
        let bias = loader.read(&format!("{name}.bias"))?;
        Ok(Self { weight: Weight::new(weight)?, bias })
    }

    /// # Shapes
    /// - x: `[rows, in]`
    /// - result: `[rows, out]`
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match &self.weight {
            // Gradients go through the dense form.
            Weight::OneDnn(weight) if !x.requires_grad() => {
                let product = x.f_to_mkldnn(None)?.f_mkldnn_linear(weight, Some(&self.bias))?;
                Ok(product.f_to_dense(None, false)?)
            }
            _ => Ok(self.bias.f_addmm(x, &self.dense()?)?),
        }
    }

    /// The weight, `[in, out]`: made anew where it is kept in oneDNN's form.
    pub fn dense(&self) -> Result<Tensor> {
        match &self.weight {
            Weight::Dense(weight) => Ok(weight.shallow_clone()),
            Weight::OneDnn(weight) => {
                Ok(weight.f_to_dense(None, false)?.f_transpose(0, 1)?.f_contiguous()?)
            }
        }
    }
}

impl Weight {
    fn new(dense: Tensor) -> Result<Self> {
        let suits = cfg!(target_arch = "x86_64")
            && dense.device() == Device::Cpu
            && dense.f_kind()? == Kind::Float
            && tch::utils::has_mkldnn();
        if !suits {
            return Ok(Weight::Dense(dense));
        }
        let transposed = dense.f_transpose(0, 1)?.f_contiguous()?;
        drop(dense);
        Ok(Weight::OneDnn(transposed.f_to_mkldnn(None)?))
    }
}
