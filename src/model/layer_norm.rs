//! Layer normalisation.

use tch::Tensor;

use super::Loader;
use crate::config::Config;
use crate::error::Result;

/// `y = (x - mean) / sqrt(var + eps) · gain + bias`, over the last axis (Ba et al. 2016).
#[derive(Debug)]
pub(super) struct LayerNorm {
    gain: Tensor,
    bias: Tensor,
    epsilon: f64,
}

impl LayerNorm {
    pub fn load(loader: &Loader<'_>, config: &Config, name: &str) -> Result<Self> {
        Ok(Self {
            gain: loader.read(&format!("{name}.weight"))?,
            bias: loader.read(&format!("{name}.bias"))?,
            epsilon: config.layer_norm_epsilon,
        })
    }

    /// # Shapes
    /// - x: `[rows, d_model]`
    /// - result: as x
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (gain, bias) = (Some(&self.gain), Some(&self.bias));
        Ok(x.f_layer_norm(self.gain.size(), gain, bias, self.epsilon, false)?)
    }
}
