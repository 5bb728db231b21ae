//! The final layer norm and the unembedding.

use tch::Tensor;

use super::Loader;
use super::embed::Embed;
use super::layer_norm::LayerNorm;
use crate::config::Config;
use crate::error::Result;

/// `logits = ln_final(x) W_U`, where W_U is the transposed token embedding unless untied.
#[derive(Debug)]
pub(super) struct Unembed {
    ln_final: LayerNorm,
    /// `[d_vocab, d_model]`, as stored.
    weight: Tensor,
}

impl Unembed {
    pub fn load(loader: &Loader<'_>, config: &Config, embed: &Embed) -> Result<Self> {
        let weight = if config.tie_word_embeddings {
            embed.tokens().shallow_clone()
        } else {
            loader.read("lm_head.weight")?
        };
        Ok(Self { ln_final: LayerNorm::load(loader, config, "ln_f")?, weight })
    }

    /// # Shapes
    /// - x: `[rows, d_model]`
    /// - result: `[rows, d_vocab]`
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.ln_final.forward(x)?.f_matmul(&self.weight.f_transpose(0, 1)?)?)
    }
}
