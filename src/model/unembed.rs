//! The final layer norm and the unembedding.

use tch::Tensor;

use super::Loader;
use super::embed::Embed;
use super::layer_norm::{LayerNorm, LayerNormSites};
use super::pass::Pass;
use crate::checkpoint::UNEMBEDDING;
use crate::config::Config;
use crate::error::Result;
use crate::hook::{Dispatcher, Halt, Site};

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
            loader.read(UNEMBEDDING)?
        };
        Ok(Self { ln_final: LayerNorm::load(loader, config, "ln_f")?, weight })
    }

    /// # Shapes
    /// - x: `[rows, d_model]`
    /// - result: `[rows, d_vocab]`
    pub fn forward(&self, x: &Tensor, pass: &mut Pass<'_, '_>) -> Result<Tensor, Halt> {
        let sites = LayerNormSites {
            scale: Site::ln_final_scale(),
            normalized: Site::ln_final_normalized(),
        };
        let x = self.ln_final.forward_hooked(x, sites, pass)?;
        pass.hooks.work().unembedded_rows += x.size()[0] as usize;
        pass.visit(Site::unembed(), x.f_matmul(&self.weight.f_transpose(0, 1)?)?)
    }

    /// Whether anybody looks at anything here, who then sees every position, scored or not.
    pub fn is_watched(hooks: &Dispatcher<'_>) -> bool {
        [Site::ln_final_scale(), Site::ln_final_normalized(), Site::unembed()]
            .into_iter()
            .any(|site| hooks.looks_at(site))
    }
}
