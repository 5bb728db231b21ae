//! An affine map, in GPT-2's layout.

use tch::{Device, Kind, Tensor};

use super::Loader;
use crate::checkpoint::Module;
use crate::error::Result;
use crate::shared_tensor::SharedTensor;

/// `y = x W + b`, with W stored `[in, out]` (what Hugging Face calls Conv1D).
///
/// The weight may have a number format of fewer bits than the activations: then inputs are rounded to it, and
/// the product is rounded once more before the activations go on in their own.
#[derive(Debug)]
pub(super) struct Linear {
    weight: Weight,
    pub bias: SharedTensor,
}

#[derive(Debug)]
enum Weight {
    /// `[in, out]`
    Dense(SharedTensor),
    /// `[out, in]`, as oneDNN takes it: its products are up to three times as fast as those of libtorch's
    /// BLAS, the more so the fewer the rows. It has no f64 and no GPUs.
    OneDnn(SharedTensor),
}

impl Linear {
    pub fn load(loader: &Loader<'_>, module: Module) -> Result<Self> {
        let weight = loader.weight(module)?;
        let bias = loader.bias(module)?;
        Ok(Self { weight: Weight::new(weight, loader.precision.factors())?, bias })
    }

    /// # Shapes
    /// - x: `[rows, in]`
    /// - result: `[rows, out]`
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let kind = x.f_kind()?;
        if let Weight::OneDnn(weight) = &self.weight
            // Gradients go through the dense form.
            && !x.requires_grad()
        {
            let product = x.f_to_mkldnn(weight.f_kind()?)?;
            let product = product.f_mkldnn_linear(weight, Some(&*self.bias))?;
            return Ok(product.f_to_dense(kind, false)?);
        }
        let factors = self.weight.kind()?;
        if factors == kind {
            return Ok(self.bias.f_addmm(x, &self.dense()?)?);
        }
        if x.device() == Device::Cpu {
            // One rounding of the whole sum, as oneDNN does it.
            return self.rounded(&self.bias.f_addmm(&self.rounded(x)?, &self.dense()?)?);
        }
        let product = x.f_to_kind(factors)?.f_matmul(&self.weight.dense()?)?;
        Ok(product.f_to_kind(kind)?.f_add(&self.bias)?)
    }

    /// An input or a result of the product, rounded as [`forward`](Self::forward) rounds it.
    pub fn rounded(&self, x: &Tensor) -> Result<Tensor> {
        let (factors, kind) = (self.weight.kind()?, x.f_kind()?);
        if factors == kind {
            return Ok(x.shallow_clone());
        }
        Ok(x.f_to_kind(factors)?.f_to_kind(kind)?)
    }

    /// The weight, `[in, out]`, in the number format of the activations: made anew where it is kept in
    /// another form.
    pub fn dense(&self) -> Result<Tensor> {
        Ok(self.weight.dense()?.f_to_kind(self.bias.f_kind()?)?)
    }

    /// `len` columns of the same, from `start` on: where they are made anew, they alone.
    pub fn columns(&self, start: i64, len: i64) -> Result<Tensor> {
        Ok(self.weight.columns(start, len)?.f_to_kind(self.bias.f_kind()?)?)
    }
}

impl Weight {
    fn new(read: SharedTensor, kind: Kind) -> Result<Self> {
        let dense = read.f_to_kind(kind)?;
        drop(read);
        let is_taken = dense.device() == Device::Cpu && onednn_takes(kind);
        if !is_taken || !tch::utils::has_mkldnn() {
            return Ok(Weight::Dense(SharedTensor::from_own(dense)));
        }
        let transposed = dense.f_transpose(0, 1)?.f_contiguous()?;
        drop(dense);
        Ok(Weight::OneDnn(SharedTensor::from_own(transposed.f_to_mkldnn(kind)?)))
    }

    fn kind(&self) -> Result<Kind> {
        let (Weight::Dense(weight) | Weight::OneDnn(weight)) = self;
        Ok(weight.f_kind()?)
    }

    fn dense(&self) -> Result<Tensor> {
        match self {
            Weight::Dense(weight) => Ok(weight.shallow_clone()),
            Weight::OneDnn(weight) => self.columns(0, weight.size()[0]),
        }
    }

    fn columns(&self, start: i64, len: i64) -> Result<Tensor> {
        match self {
            Weight::Dense(weight) => Ok(weight.f_narrow(1, start, len)?),
            Weight::OneDnn(weight) => {
                let rows = weight.f_to_dense(None, false)?.f_narrow(0, start, len)?;
                Ok(rows.f_transpose(0, 1)?.f_contiguous()?)
            }
        }
    }
}

/// Whether oneDNN has fast products of this kind on this machine.
#[cfg(target_arch = "x86_64")]
fn onednn_takes(kind: Kind) -> bool {
    match kind {
        Kind::Float => true,
        // libtorch asks for these three.
        Kind::BFloat16 => {
            is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
        }
        _ => false,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn onednn_takes(_kind: Kind) -> bool {
    false
}
