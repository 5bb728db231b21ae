//! One transformer block.

use tch::Tensor;

use super::Loader;
use super::attention::Attention;
use super::mlp::Mlp;
use super::pass::Pass;
use crate::config::Config;
use crate::dispatch::Interrupt;
use crate::error::Result;
use crate::site::Site;

/// Attention and MLP, each reading the residual stream and adding to it.
#[derive(Debug)]
pub(super) struct Block {
    layer: usize,
    pub attention: Attention,
    pub mlp: Mlp,
}

impl Block {
    pub fn load(loader: &Loader<'_>, config: &Config, layer: usize) -> Result<Self> {
        let attention = Attention::load(loader, config, layer)?;
        Ok(Self { layer, attention, mlp: Mlp::load(loader, config, layer)? })
    }

    /// # Shapes
    /// - residual: `[rows, d_model]`
    /// - result: `[rows, d_model]`
    pub fn forward(&self, residual: Tensor, pass: &mut Pass<'_, '_>) -> Result<Tensor, Interrupt> {
        let layer = self.layer;
        let resid_pre = pass.visit(Site::resid_pre(layer), residual)?;
        let (segments, rows) = pass.segments.only(|segment| !pass.hooks.skips(layer, segment));
        let resid_post = if segments.rows == 0 {
            resid_pre
        } else if segments.rows == pass.segments.rows {
            self.compute(resid_pre, pass)?
        } else {
            let rows = Tensor::f_from_slice(&rows)?.f_to_device(resid_pre.device())?;
            let computed = resid_pre.f_index_select(0, &rows)?;
            let computed = self.compute(computed, &mut pass.over(&segments))?;
            resid_pre.f_index_copy(0, &rows, &computed)?
        };
        // What first differs at resid_post need not go through the block by itself.
        let resid_post = pass.fork(layer + 1, resid_post)?;
        pass.visit(Site::resid_post(layer), resid_post)
    }

    fn compute(&self, resid_pre: Tensor, pass: &mut Pass<'_, '_>) -> Result<Tensor, Interrupt> {
        let layer = self.layer;
        let entered = pass.segments;
        let attn_out = self.attention.forward(&resid_pre, pass)?;
        let resid_pre = pass.carried(entered, resid_pre)?;
        let attn_out = pass.visit(Site::attn_out(layer), attn_out)?;
        let resid_mid = resid_pre.f_add(&attn_out)?;
        drop((resid_pre, attn_out));
        let resid_mid = pass.visit(Site::resid_mid(layer), resid_mid)?;
        let mlp_out = self.mlp.forward(&resid_mid, pass)?;
        let mlp_out = pass.visit(Site::mlp_out(layer), mlp_out)?;
        Ok(resid_mid.f_add(&mlp_out)?)
    }
}
