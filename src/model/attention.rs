//! Causal multi-head self-attention.

use tch::{Kind, Tensor};

use super::Loader;
use super::layer_norm::{LayerNorm, LayerNormSites};
use super::linear::Linear;
use super::mixing::Mixing;
use super::pass::Pass;
use crate::checkpoint::Module;
use crate::config::Config;
use crate::dispatch::Interrupt;
use crate::error::Result;
use crate::site::Site;

/// `softmax(mask(q kᵀ · scale)) v` per head, the heads concatenated and projected (Vaswani et al.
/// 2017), reading the residual stream through a layer norm.
#[derive(Debug)]
pub(super) struct Attention {
    layer: usize,
    pub norm: LayerNorm,
    qkv: Linear,
    pub output: Linear,
    mixing: Mixing,
    n_heads: i64,
    d_head: i64,
}

/// Queries, keys and values, each `[rows, head, d_head]`.
type Qkv = [Tensor; 3];

impl Attention {
    pub fn load(loader: &Loader<'_>, config: &Config, layer: usize) -> Result<Self> {
        Ok(Self {
            layer,
            norm: LayerNorm::load(loader, config, Module::Ln1(layer))?,
            qkv: Linear::load(loader, Module::AttnCAttn(layer))?,
            output: Linear::load(loader, Module::AttnCProj(layer))?,
            mixing: Mixing::new(config, layer),
            n_heads: config.n_heads as i64,
            d_head: config.d_head as i64,
        })
    }

    /// # Shapes
    /// - residual: `[rows, d_model]`
    /// - result: `[rows, d_model]`, in the layout that the pass goes on with
    pub fn forward(&self, residual: &Tensor, pass: &mut Pass<'_, '_>) -> Result<Tensor, Interrupt> {
        let layer = self.layer;
        let sites = LayerNormSites {
            scale: Site::ln1_scale(layer),
            normalized: Site::ln1_normalized(layer),
        };
        let forks = self.forks(residual, pass)?;
        let x = self.norm.forward_hooked(residual, sites, pass)?;
        pass.hooks.work().attention_rows += pass.segments.rows;
        let [q, k, v] = self.follow_forks(self.project(&x)?, forks, pass)?;
        let q = pass.visit(Site::q(layer), q)?;
        let k = pass.visit(Site::k(layer), k)?;
        let v = pass.visit(Site::v(layer), v)?;
        let entered = pass.segments;
        pass.narrow(layer);
        let q = pass.carried(entered, q)?;
        let z = self.mixing.forward(&q, [&k, &v], entered, pass)?;
        let z = pass.visit(Site::z(layer), z)?;
        self.add_up(&z, pass)
    }

    /// Queries, keys and values of all heads: views of one product.
    fn project(&self, x: &Tensor) -> Result<Qkv> {
        let qkv = self.qkv.forward(x)?;
        let heads = qkv.f_view([-1, 3, self.n_heads, self.d_head])?;
        Ok([heads.f_select(1, 0)?, heads.f_select(1, 1)?, heads.f_select(1, 2)?])
    }

    /// What each head's queries, keys and values read, if anybody asks for it.
    ///
    /// # Shapes
    /// - result: `[rows, head, d_model]` each
    fn forks(&self, residual: &Tensor, pass: &mut Pass<'_, '_>) -> Result<Option<Qkv>, Interrupt> {
        let (all, each) = self.fork_sites();
        if !pass.hooks.wants(all) && !each.iter().any(|&site| pass.hooks.wants(site)) {
            return Ok(None);
        }
        let per_head = residual.f_unsqueeze(1)?.f_expand([-1, self.n_heads, -1], false)?;
        let per_head = pass.visit(all, per_head)?;
        let [q, k, v] = each;
        Ok(Some([
            pass.visit(q, per_head.shallow_clone())?,
            pass.visit(k, per_head.shallow_clone())?,
            pass.visit(v, per_head)?,
        ]))
    }

    /// Replaces what heads compute by what they compute from the forks, for the sequences that edit
    /// them.
    fn follow_forks(&self, mut qkv: Qkv, forks: Option<Qkv>, pass: &Pass<'_, '_>) -> Result<Qkv> {
        let (all, each) = self.fork_sites();
        let Some(forks) = forks else { return Ok(qkv) };
        for (part, (fork, site)) in forks.iter().zip(each).enumerate() {
            let edits = |segment| pass.hooks.edits_for(&[all, site], segment);
            let (following, rows) = pass.segments.only(edits);
            if following.rows == 0 {
                continue;
            }
            let rows = Tensor::f_from_slice(&rows)?.f_to_device(fork.device())?;
            let fork = fork.f_index_select(0, &rows)?;
            let projected = self.project_per_head(part as i64, &self.norm.forward(&fork)?)?;
            qkv[part] = qkv[part].f_index_copy(0, &rows, &projected)?;
        }
        Ok(qkv)
    }

    fn fork_sites(&self) -> (Site, [Site; 3]) {
        let [all, q, k, v] = Site::attention_forks(self.layer);
        (all, [q, k, v])
    }

    /// Queries (part 0), keys (1) or values (2) when each head reads an input of its own.
    ///
    /// # Shapes
    /// - x: `[rows, head, d_model]`, normalised
    /// - result: `[rows, head, d_head]`
    fn project_per_head(&self, part: i64, x: &Tensor) -> Result<Tensor> {
        let x = self.qkv.rounded(x)?.f_permute([1, 0, 2])?;
        let product = x.f_matmul(&self.w_qkv(part)?)?.f_permute([1, 0, 2])?;
        self.qkv.rounded(&product.f_add(&self.b_qkv(part)?)?)
    }

    /// The weight that makes each head's queries (part 0), keys (1) or values (2).
    ///
    /// # Shapes
    /// - result: `[head, d_model, d_head]`
    pub fn w_qkv(&self, part: i64) -> Result<Tensor> {
        let d_model = self.n_heads * self.d_head;
        let weight = self.qkv.columns(part * d_model, d_model)?;
        Ok(weight.f_view([d_model, self.n_heads, self.d_head])?.f_permute([1, 0, 2])?)
    }

    /// The bias of the same.
    ///
    /// # Shapes
    /// - result: `[head, d_head]`
    pub fn b_qkv(&self, part: i64) -> Result<Tensor> {
        let d_model = self.n_heads * self.d_head;
        let bias = self.qkv.bias.f_narrow(0, part * d_model, d_model)?;
        Ok(bias.f_view([self.n_heads, self.d_head])?)
    }

    /// The weight that makes of each head's `z` what it adds to the stream.
    ///
    /// # Shapes
    /// - result: `[head, d_head, d_model]`
    pub fn w_o(&self) -> Result<Tensor> {
        Ok(self.output.dense()?.f_view([self.n_heads, self.d_head, -1])?)
    }

    /// The sum of what the heads add to the stream.
    ///
    /// # Shapes
    /// - z: `[rows, head, d_head]`
    /// - result: `[rows, d_model]`
    fn add_up(&self, z: &Tensor, pass: &mut Pass<'_, '_>) -> Result<Tensor, Interrupt> {
        let site = Site::result(self.layer);
        if pass.hooks.wants(site) {
            let z = self.output.rounded(z)?.f_permute([1, 0, 2])?;
            let result = z.f_matmul(&self.w_o()?)?.f_permute([1, 0, 2])?;
            let result = pass.visit(site, result)?;
            if pass.hooks.edits(site) {
                let summed = result.f_sum_dim_intlist(1, false, None::<Kind>)?;
                return Ok(self.output.rounded(&summed.f_add(&self.output.bias)?)?);
            }
        }
        Ok(self.output.forward(&z.f_flatten(1, 2)?)?)
    }
}
