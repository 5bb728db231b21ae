//! Layer normalisation.

use tch::{Kind, Tensor};

use super::Loader;
use super::pass::Pass;
use crate::checkpoint::Module;
use crate::config::Config;
use crate::dispatch::Interrupt;
use crate::error::Result;
use crate::scalar::scalar;
use crate::shared_tensor::SharedTensor;
use crate::site::Site;

/// `y = (x - mean) / sqrt(var + eps) · gain + bias`, over the last axis (Ba et al. 2016).
#[derive(Debug)]
pub(super) struct LayerNorm {
    pub gain: SharedTensor,
    pub bias: SharedTensor,
    epsilon: f64,
}

/// The two sites of a layer norm.
#[derive(Clone, Copy)]
pub(super) struct LayerNormSites {
    pub scale: Site,
    pub normalized: Site,
}

impl LayerNorm {
    pub fn load(loader: &Loader<'_>, config: &Config, module: Module) -> Result<Self> {
        Ok(Self {
            gain: loader.weight(module)?,
            bias: loader.bias(module)?,
            epsilon: config.layer_norm_epsilon,
        })
    }

    /// # Shapes
    /// - x: `[…, d_model]`
    /// - result: as x
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (gain, bias) = (Some(&*self.gain), Some(&*self.bias));
        Ok(x.f_layer_norm(self.gain.size(), gain, bias, self.epsilon, false)?)
    }

    /// The same, past its sites.
    ///
    /// # Shapes
    /// - x: `[rows, d_model]`
    /// - result: as x
    pub fn forward_hooked(
        &self,
        x: &Tensor,
        sites: LayerNormSites,
        pass: &mut Pass<'_, '_>,
    ) -> Result<Tensor, Interrupt> {
        let LayerNormSites { scale: scale_site, normalized: normalized_site } = sites;
        if !pass.hooks.wants(scale_site) && !pass.hooks.wants(normalized_site) {
            return Ok(self.forward(x)?);
        }
        let mean = |x: &Tensor| x.f_mean_dim(-1, true, None::<Kind>);
        let centred = x.f_sub(&mean(x)?)?;
        let variance = mean(&centred.f_square()?)?;
        let scale = variance.f_add(&scalar(self.epsilon, &variance)?)?.f_sqrt()?;
        let scale = pass.visit(scale_site, scale)?;
        let normalized = pass.visit(normalized_site, centred.f_div(&scale)?)?;
        if pass.hooks.edits(scale_site) || pass.hooks.edits(normalized_site) {
            Ok(normalized.f_mul(&self.gain)?.f_add(&self.bias)?)
        } else {
            Ok(self.forward(x)?)
        }
    }
}
