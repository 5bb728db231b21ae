//! Causal multi-head self-attention.

use tch::Tensor;

use super::Loader;
use super::linear::Linear;
use crate::config::Config;
use crate::error::Result;
use crate::segment::{SegmentGroup, Segments};

/// `softmax(mask(q kᵀ · scale)) v` per head, the heads concatenated and projected (Vaswani et al.
/// 2017).
#[derive(Debug)]
pub(super) struct Attention {
    qkv: Linear,
    output: Linear,
    n_heads: i64,
    d_head: i64,
    scale: f64,
}

impl Attention {
    pub fn load(loader: &Loader<'_>, config: &Config, layer: usize) -> Result<Self> {
        Ok(Self {
            qkv: Linear::load(loader, &format!("h.{layer}.attn.c_attn"))?,
            output: Linear::load(loader, &format!("h.{layer}.attn.c_proj"))?,
            n_heads: config.n_heads as i64,
            d_head: config.d_head as i64,
            scale: config.attention_scale(layer),
        })
    }

    /// # Shapes
    /// - x: `[rows, d_model]`, normalised
    /// - result: `[rows, d_model]`
    pub fn forward(&self, x: &Tensor, segments: &Segments) -> Result<Tensor> {
        let qkv = self.qkv.forward(x)?;
        let z = match &segments.groups[..] {
            [group] => self.attend(&qkv, group)?,
            groups => {
                let z: Vec<Tensor> =
                    groups.iter().map(|group| self.attend(&qkv, group)).collect::<Result<_>>()?;
                Tensor::f_cat(&z, 0)?
            }
        };
        self.output.forward(&z)
    }

    /// Attention within the segments of one group.
    ///
    /// # Shapes
    /// - qkv: `[rows, 3 · d_model]`
    /// - result: `[rows of the group, d_model]`
    fn attend(&self, qkv: &Tensor, group: &SegmentGroup) -> Result<Tensor> {
        let (batch, len) = (group.sequences.len() as i64, group.len as i64);
        // [batch, pos, 3, head, d_head] to three of [batch, head, pos, d_head], all of them views.
        let heads = group.stacked(qkv)?.f_view([batch, len, 3, self.n_heads, self.d_head])?;
        let part = |index| -> Result<Tensor> { Ok(heads.f_select(2, index)?.f_transpose(1, 2)?) };
        let z = Tensor::f_scaled_dot_product_attention(
            &part(0)?,
            &part(1)?,
            &part(2)?,
            None::<&Tensor>,
            0.0,
            true,
            self.scale,
            false,
        )?;
        Ok(z.f_transpose(1, 2)?.f_reshape([batch * len, self.n_heads * self.d_head])?)
    }
}
