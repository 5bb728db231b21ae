//! Causal multi-head self-attention.

use tch::{Kind, Tensor};

use super::Loader;
use super::layer_norm::{LayerNorm, LayerNormSites};
use super::linear::Linear;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::hook::{Dispatcher, Site};
use crate::segment::{self, Segments};

/// `softmax(mask(q kᵀ · scale)) v` per head, the heads concatenated and projected (Vaswani et al.
/// 2017), reading the residual stream through a layer norm.
#[derive(Debug)]
pub(super) struct Attention {
    layer: usize,
    norm: LayerNorm,
    qkv: Linear,
    output: Linear,
    n_heads: i64,
    d_head: i64,
    scale: f64,
}

/// Queries, keys and values, each `[rows, head, d_head]`.
type Qkv = [Tensor; 3];

impl Attention {
    pub fn load(loader: &Loader<'_>, config: &Config, layer: usize) -> Result<Self> {
        Ok(Self {
            layer,
            norm: LayerNorm::load(loader, config, &format!("h.{layer}.ln_1"))?,
            qkv: Linear::load(loader, &format!("h.{layer}.attn.c_attn"))?,
            output: Linear::load(loader, &format!("h.{layer}.attn.c_proj"))?,
            n_heads: config.n_heads as i64,
            d_head: config.d_head as i64,
            scale: config.attention_scale(layer),
        })
    }

    /// # Shapes
    /// - residual: `[rows, d_model]`
    /// - result: `[rows, d_model]`
    pub fn forward(
        &self,
        residual: &Tensor,
        segments: &Segments,
        hooks: &mut Dispatcher<'_>,
    ) -> Result<Tensor> {
        let layer = self.layer;
        let sites = LayerNormSites {
            scale: Site::ln1_scale(layer),
            normalized: Site::ln1_normalized(layer),
        };
        let x = self.norm.forward_hooked(residual, sites, hooks)?;
        let qkv = self.fork(residual, self.project(&x)?, hooks)?;
        let [q, k, v] = qkv;
        let qkv = [
            hooks.visit(Site::q(layer), q)?,
            hooks.visit(Site::k(layer), k)?,
            hooks.visit(Site::v(layer), v)?,
        ];
        let z = self.mix(&qkv, segments, hooks)?;
        let z = hooks.visit(Site::z(layer), z)?;
        self.add_up(&z, hooks)
    }

    /// Queries, keys and values of all heads: views of one product.
    fn project(&self, x: &Tensor) -> Result<Qkv> {
        let qkv = self.qkv.forward(x)?;
        let heads = qkv.f_view([-1, 3, self.n_heads, self.d_head])?;
        Ok([heads.f_select(1, 0)?, heads.f_select(1, 1)?, heads.f_select(1, 2)?])
    }

    /// Replaces what heads compute from an edited fork of the residual.
    fn fork(&self, residual: &Tensor, mut qkv: Qkv, hooks: &mut Dispatcher<'_>) -> Result<Qkv> {
        let all = Site::attn_in(self.layer);
        let each =
            [Site::q_input(self.layer), Site::k_input(self.layer), Site::v_input(self.layer)];
        if !hooks.wants(all) && !each.iter().any(|&site| hooks.wants(site)) {
            return Ok(qkv);
        }
        let per_head = residual.f_unsqueeze(1)?.f_expand([-1, self.n_heads, -1], false)?;
        let per_head = hooks.visit(all, per_head)?;
        for (part, site) in each.into_iter().enumerate() {
            let input = hooks.visit(site, per_head.shallow_clone())?;
            if hooks.edits(all) || hooks.edits(site) {
                qkv[part] = self.project_per_head(part as i64, &self.norm.forward(&input)?)?;
            }
        }
        Ok(qkv)
    }

    /// Queries (part 0), keys (1) or values (2) when each head reads an input of its own.
    ///
    /// # Shapes
    /// - x: `[rows, head, d_model]`, normalised
    /// - result: `[rows, head, d_head]`
    fn project_per_head(&self, part: i64, x: &Tensor) -> Result<Tensor> {
        let (n_heads, d_head) = (self.n_heads, self.d_head);
        let d_model = n_heads * d_head;
        let weight = self.qkv.weight.f_narrow(1, part * d_model, d_model)?;
        let weight = weight.f_reshape([d_model, n_heads, d_head])?.f_permute([1, 0, 2])?;
        let bias = self.qkv.bias.f_narrow(0, part * d_model, d_model)?;
        let product = x.f_permute([1, 0, 2])?.f_matmul(&weight)?.f_permute([1, 0, 2])?;
        Ok(product.f_add(&bias.f_view([n_heads, d_head])?)?)
    }

    /// Each head's mixture of values.
    ///
    /// # Shapes
    /// - result: `[rows, head, d_head]`
    fn mix(&self, qkv: &Qkv, segments: &Segments, hooks: &mut Dispatcher<'_>) -> Result<Tensor> {
        let mut mixed = Vec::with_capacity(segments.groups.len());
        for (number, group) in segments.groups.iter().enumerate() {
            // [batch, head, pos, d_head], views all of them.
            let part =
                |part: &Tensor| -> Result<Tensor> { Ok(group.stacked(part)?.f_transpose(1, 2)?) };
            let [q, k, v] = [part(&qkv[0])?, part(&qkv[1])?, part(&qkv[2])?];
            let z = match self.edited_pattern(&q, &k, number, hooks)? {
                Some(pattern) => pattern.f_matmul(&v)?,
                None => Tensor::f_scaled_dot_product_attention(
                    &q,
                    &k,
                    &v,
                    None::<&Tensor>,
                    0.0,
                    true,
                    self.scale,
                    false,
                )?,
            };
            mixed.push(z.f_transpose(1, 2)?);
        }
        segment::flatten(mixed)
    }

    /// The attention pattern of one group, past its sites; `None` unless a hook edits it, so that
    /// the fused path can be taken.
    ///
    /// # Shapes
    /// - q, k: `[batch, head, pos, d_head]`
    /// - result: `[batch, head, query_pos, key_pos]`
    fn edited_pattern(
        &self,
        q: &Tensor,
        k: &Tensor,
        group: usize,
        hooks: &mut Dispatcher<'_>,
    ) -> Result<Option<Tensor>> {
        let (scores_site, pattern_site) =
            (Site::attn_scores(self.layer), Site::pattern(self.layer));
        if !hooks.wants(scores_site) && !hooks.wants(pattern_site) {
            return Ok(None);
        }
        let len = q.size()[2];
        let future = Tensor::f_ones([len, len], (Kind::Bool, q.device()))?.f_triu(1)?;
        let mask = |scores: &Tensor| scores.f_masked_fill(&future, f64::NEG_INFINITY);
        let scores = q.f_matmul(&k.f_transpose(2, 3)?)?.f_mul_scalar(self.scale)?;
        let scores = hooks.visit_group(scores_site, group, mask(&scores)?)?;
        // An edit may scale the masked scores along; no edit lifts the mask.
        let scores = mask(&scores)?;
        if hooks.edits(scores_site) {
            check_keys(&scores, scores_site)?;
        }
        let pattern = scores.f_softmax(-1, None::<Kind>)?;
        let pattern = hooks.visit_group(pattern_site, group, pattern)?;
        let edited = hooks.edits(scores_site) || hooks.edits(pattern_site);
        Ok(edited.then_some(pattern))
    }

    /// The sum of what the heads add to the stream.
    ///
    /// # Shapes
    /// - z: `[rows, head, d_head]`
    /// - result: `[rows, d_model]`
    fn add_up(&self, z: &Tensor, hooks: &mut Dispatcher<'_>) -> Result<Tensor> {
        let site = Site::result(self.layer);
        if hooks.wants(site) {
            let weight = self.output.weight.f_view([self.n_heads, self.d_head, -1])?;
            let result = z.f_permute([1, 0, 2])?.f_matmul(&weight)?.f_permute([1, 0, 2])?;
            let result = hooks.visit(site, result)?;
            if hooks.edits(site) {
                let summed = result.f_sum_dim_intlist(1, false, None::<Kind>)?;
                return Ok(summed.f_add(&self.output.bias)?);
            }
        }
        self.output.forward(&z.f_flatten(1, 2)?)
    }
}

/// Checks that every query may attend to some key.
///
/// # Shapes
/// - scores: `[batch, head, query_pos, key_pos]`
fn check_keys(scores: &Tensor, site: Site) -> Result<()> {
    let without = scores.f_isneginf()?.f_all_dim(-1, false)?.f_nonzero()?;
    if without.size()[0] == 0 {
        return Ok(());
    }
    let index = |axis| -> Result<usize> { Ok(without.f_int64_value(&[0, axis])? as usize) };
    Err(Error::NoKeyLeft { site: site.to_string(), head: index(1)?, query: index(2)? })
}
