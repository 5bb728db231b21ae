//! The two-layer perceptron.

use tch::Tensor;

use super::Loader;
use super::layer_norm::{LayerNorm, LayerNormSites};
use super::linear::Linear;
use super::pass::Pass;
use crate::checkpoint::Module;
use crate::config::{Activation, Config};
use crate::dispatch::Interrupt;
use crate::error::Result;
use crate::scalar::scalar;
use crate::site::Site;

/// `act(x W_in + b_in) W_out + b_out`, reading the residual stream through a layer norm.
#[derive(Debug)]
pub(super) struct Mlp {
    layer: usize,
    pub norm: LayerNorm,
    pub input: Linear,
    pub output: Linear,
    activation: Activation,
}

impl Mlp {
    pub fn load(loader: &Loader<'_>, config: &Config, layer: usize) -> Result<Self> {
        Ok(Self {
            layer,
            norm: LayerNorm::load(loader, config, Module::Ln2(layer))?,
            input: Linear::load(loader, Module::MlpCFc(layer))?,
            output: Linear::load(loader, Module::MlpCProj(layer))?,
            activation: config.activation,
        })
    }

    /// # Shapes
    /// - residual: `[rows, d_model]`
    /// - result: `[rows, d_model]`
    pub fn forward(&self, residual: &Tensor, pass: &mut Pass<'_, '_>) -> Result<Tensor, Interrupt> {
        let layer = self.layer;
        let sites = LayerNormSites {
            scale: Site::ln2_scale(layer),
            normalized: Site::ln2_normalized(layer),
        };
        let input = pass.visit(Site::mlp_in(layer), residual.shallow_clone())?;
        let x = self.norm.forward_hooked(&input, sites, pass)?;
        pass.hooks.work().mlp_rows += pass.segments.rows;
        let pre = pass.visit(Site::mlp_pre(layer), self.input.forward(&x)?)?;
        // The memory of a block peaks here.
        drop(x);
        let post = activate(self.activation, &pre)?;
        drop(pre);
        let post = pass.visit(Site::mlp_post(layer), post)?;
        Ok(self.output.forward(&post)?)
    }
}

fn activate(activation: Activation, x: &Tensor) -> Result<Tensor> {
    Ok(match activation {
        Activation::Gelu => x.f_gelu("none")?,
        Activation::GeluTanh => x.f_gelu("tanh")?,
        Activation::QuickGelu => x.f_mul(&scalar(1.702, x)?)?.f_sigmoid()?.f_mul(x)?,
        Activation::Relu => x.f_relu()?,
        Activation::Silu => x.f_silu()?,
        Activation::Tanh => x.f_tanh()?,
    })
}
