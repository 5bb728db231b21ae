//! The final layer norm and the unembedding.

use tch::Tensor;

use super::embed::Embed;
use super::layer_norm::{LayerNorm, LayerNormSites};
use super::pass::Pass;
use super::{Gpt2, Loader};
use crate::checkpoint::Module;
use crate::config::Config;
use crate::dispatch::{Dispatcher, Interrupt};
use crate::error::{Result, RunError};
use crate::hook::TensorForm;
use crate::shared_tensor::SharedTensor;
use crate::site::Site;

/// `logits = ln_final(x) W_U`, where W_U is the transposed token embedding unless untied.
#[derive(Debug)]
pub(super) struct Unembed {
    pub ln_final: LayerNorm,
    /// `[d_vocab, d_model]`, as stored.
    weight: SharedTensor,
}

impl Unembed {
    pub fn load(loader: &Loader<'_>, config: &Config, embed: &Embed) -> Result<Self> {
        let weight = if config.tie_word_embeddings {
            embed.tokens.clone()
        } else {
            loader.weight(Module::LmHead)?
        };
        Ok(Self { ln_final: LayerNorm::load(loader, config, Module::LnF)?, weight })
    }

    /// # Shapes
    /// - x: `[rows, d_model]`
    /// - result: `[rows, d_vocab]`
    pub fn forward(&self, x: &Tensor, pass: &mut Pass<'_, '_>) -> Result<Tensor, Interrupt> {
        let sites = LayerNormSites {
            scale: Site::ln_final_scale(),
            normalized: Site::ln_final_normalized(),
        };
        let x = self.ln_final.forward_hooked(x, sites, pass)?;
        pass.hooks.work().unembedded_rows += x.size()[0] as usize;
        pass.visit(Site::unembed(), x.f_matmul(&self.w_u()?)?)
    }

    /// `[d_model, d_vocab]`
    pub fn w_u(&self) -> Result<Tensor> {
        Ok(self.weight.f_transpose(0, 1)?)
    }

    /// Whether anybody looks at anything here, who then sees every position, scored or not.
    pub fn is_watched(hooks: &Dispatcher<'_>) -> bool {
        [Site::ln_final_scale(), Site::ln_final_normalized(), Site::unembed()]
            .into_iter()
            .any(|site| hooks.looks_at(site))
    }
}

impl Gpt2 {
    /// The logits of a residual stream: the final layer norm, and the unembedding.
    ///
    /// What leaves the last block gives the model's own logits, bit for bit if as many rows go through at once;
    /// what leaves an earlier one gives its logit lens (nostalgebraist 2020). Gradients flow back to `residual`
    /// if it asks for them.
    ///
    /// ```
    /// # use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, Result, hook::Site, tch::Device};
    /// # fn main() -> Result<()> {
    /// # let checkpoint = Checkpoint::bundled()?;
    /// # let (model, _) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
    /// # let batch = Batch::single(checkpoint.tokenizer()?.encode("It was the best of")?)?;
    /// let output = model.run(&batch).capture([Site::resid_post(11)]).execute()?;
    /// let logits = model.unembed(&output.activations.get(Site::resid_post(11), 0)?)?;
    /// assert_eq!(&logits, output.logits.tensor(0)?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Shapes
    /// - residual: `[…, d_model]`
    /// - result: `[…, d_vocab]`
    ///
    /// # Errors
    /// [`UnembeddedForm`](RunError::UnembeddedForm) for another shape, kind or device.
    #[doc(alias = "logit_lens")]
    pub fn unembed(&self, residual: &Tensor) -> Result<Tensor> {
        let (d_model, d_vocab) = (self.config.d_model as i64, self.config.d_vocab as i64);
        let (kind, device) = (self.precision.kind(), self.device);
        let fits = |given: &TensorForm| {
            given.size.last() == Some(&d_model) && given.kind == kind && given.device == device
        };
        let given = TensorForm::read(residual);
        let mut shape = match given {
            Ok(given) if fits(&given) => given.size,
            other => {
                let given = other.map_or_else(str::to_owned, |given| given.to_string());
                let needed = format!("[…, {d_model}] {kind:?} on {device:?}");
                return Err(RunError::UnembeddedForm { given, needed }.into());
            }
        };
        shape.pop();
        shape.push(d_vocab);
        // As rows, since a run has them so: it is the same product.
        let rows = self.unembed.ln_final.forward(&residual.f_reshape([-1, d_model])?)?;
        Ok(rows.f_matmul(&self.unembed.w_u()?)?.f_reshape(&shape[..])?)
    }
}
