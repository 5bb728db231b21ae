//! The two-layer perceptron.

use tch::Tensor;

use super::Loader;
use super::linear::Linear;
use crate::config::{Activation, Config};
use crate::error::Result;

/// `act(x W_in + b_in) W_out + b_out`.
#[derive(Debug)]
pub(super) struct Mlp {
    input: Linear,
    output: Linear,
    activation: Activation,
}

impl Mlp {
    pub fn load(loader: &Loader<'_>, config: &Config, layer: usize) -> Result<Self> {
        Ok(Self {
            input: Linear::load(loader, &format!("h.{layer}.mlp.c_fc"))?,
            output: Linear::load(loader, &format!("h.{layer}.mlp.c_proj"))?,
            activation: config.activation,
        })
    }

    /// # Shapes
    /// - x: `[rows, d_model]`, normalised
    /// - result: `[rows, d_model]`
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.output.forward(&activate(self.activation, &self.input.forward(x)?)?)
    }
}

fn activate(activation: Activation, x: &Tensor) -> Result<Tensor> {
    Ok(match activation {
        Activation::Gelu => x.f_gelu("none")?,
        Activation::GeluTanh => x.f_gelu("tanh")?,
        Activation::QuickGelu => x.f_mul_scalar(1.702)?.f_sigmoid()?.f_mul(x)?,
        Activation::Relu => x.f_relu()?,
        Activation::Silu => x.f_silu()?,
        Activation::Tanh => x.f_tanh()?,
    })
}
