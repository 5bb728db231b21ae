//! One transformer block.

use tch::Tensor;

use super::Loader;
use super::attention::Attention;
use super::mlp::Mlp;
use crate::config::Config;
use crate::error::Result;
use crate::hook::{Dispatcher, Site};
use crate::segment::Segments;

/// Attention and MLP, each reading the residual stream and adding to it.
#[derive(Debug)]
pub(super) struct Block {
    layer: usize,
    attention: Attention,
    mlp: Mlp,
}

impl Block {
    pub fn load(loader: &Loader<'_>, config: &Config, layer: usize) -> Result<Self> {
        let attention = Attention::load(loader, config, layer)?;
        Ok(Self { layer, attention, mlp: Mlp::load(loader, config, layer)? })
    }

    /// # Shapes
    /// - residual: `[rows, d_model]`
    /// - result: `[rows, d_model]`
    pub fn forward(
        &self,
        residual: Tensor,
        segments: &Segments,
        hooks: &mut Dispatcher<'_>,
    ) -> Result<Tensor> {
        let layer = self.layer;
        let resid_pre = hooks.visit(Site::resid_pre(layer), residual)?;
        if hooks.skips(layer) {
            return hooks.visit(Site::resid_post(layer), resid_pre);
        }
        let attn_out = self.attention.forward(&resid_pre, segments, hooks)?;
        let attn_out = hooks.visit(Site::attn_out(layer), attn_out)?;
        let resid_mid = hooks.visit(Site::resid_mid(layer), resid_pre.f_add(&attn_out)?)?;
        let mlp_out = self.mlp.forward(&resid_mid, hooks)?;
        let mlp_out = hooks.visit(Site::mlp_out(layer), mlp_out)?;
        hooks.visit(Site::resid_post(layer), resid_mid.f_add(&mlp_out)?)
    }
}
