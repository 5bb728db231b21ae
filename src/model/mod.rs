//! GPT-2 itself: one component a file, one forward pass over segments.
//!
//! ```text
//! embed ─► block 0 ─► … ─► block n-1 ─► ln_final ─► unembed
//!
//! block:   x = resid_pre + attention(ln1(resid_pre))        = resid_mid
//!          y = resid_mid + mlp(ln2(resid_mid))              = resid_post
//! ```
//!
//! Radford et al., "Language Models are Unsupervised Multitask Learners" (2019).

mod attention;
mod block;
mod cache;
mod embed;
mod forward;
mod generation;
mod gradients;
mod layer_norm;
mod linear;
mod logits;
mod mean;
mod mixing;
mod mlp;
mod parameter;
mod pass;
mod run;
mod run_output;
mod sampling;
mod scored;
mod unembed;

use tch::Device;

use crate::batch::Batch;
use crate::checkpoint::{Checkpoint, LoadReport, Module, Weights};
use crate::config::Config;
use crate::device;
use crate::error::Result;
use crate::precision::Precision;
use crate::shared_tensor::SharedTensor;

use block::Block;
use embed::Embed;
pub use generation::{Generated, Generation};
pub use logits::Logits;
pub use parameter::Parameter;
pub(crate) use pass::Pass;
pub use run::Run;
pub use run_output::{Effect, RunOutput};
pub use sampling::Sampling;
pub(crate) use scored::Scored;
use unembed::Unembed;

/// A GPT-2 in memory. It never changes: an intervention is an argument of a run.
///
/// So threads may use one at the same time: `docs/threads.md` says how.
#[derive(Debug)]
pub struct Gpt2 {
    config: Config,
    precision: Precision,
    device: Device,
    embed: Embed,
    blocks: Vec<Block>,
    unembed: Unembed,
}

impl Gpt2 {
    /// Loads the weights of `checkpoint`, raw: nothing is folded or centred.
    ///
    /// Each weight is read straight into its own memory, so that loading takes the time of one
    /// copy of the files and, at its peak, hardly more memory than the model keeps.
    ///
    /// # Errors
    /// [`WeightShape`](crate::error::CheckpointError::WeightShape) and
    /// [`MissingWeights`](crate::error::CheckpointError::MissingWeights), before any weight is read;
    /// [`NoSuchDevice`](crate::Error::NoSuchDevice); [`StoredKind`](crate::error::CheckpointError::StoredKind);
    /// [`NotFinite`](crate::error::CheckpointError::NotFinite); [`Changed`](crate::error::FileError::Changed) if a
    /// file was written to after the checkpoint was opened.
    pub fn load(
        checkpoint: &Checkpoint,
        precision: Precision,
        device: Device,
    ) -> Result<(Self, LoadReport)> {
        device::check(device)?;
        let mut report = checkpoint.report();
        report.check(checkpoint.name())?;
        let mut config = checkpoint.config().clone();
        let loader = Loader { weights: checkpoint.weights(), precision, device };
        let embed = Embed::load(&loader)?;
        if config.tie_word_embeddings && loader.unembeds_otherwise(&embed)? {
            config.tie_word_embeddings = false;
            report.untie();
        }
        let blocks = (0..config.n_layers)
            .map(|layer| Block::load(&loader, &config, layer))
            .collect::<Result<_>>()?;
        let unembed = Unembed::load(&loader, &config, &embed)?;
        Ok((Self { config, precision, device, embed, blocks, unembed }, report))
    }

    /// The model's shape. That of the checkpoint, but for weights that are [untied](LoadReport::untied).
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The number format that it computes in.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Where it lies.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Prepares a run over `batch`: by itself the plain forward pass.
    ///
    /// ```
    /// # use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, Result};
    /// # fn main() -> Result<()> {
    /// let checkpoint = Checkpoint::bundled()?;
    /// let (model, _) = Gpt2::load(&checkpoint, Precision::F32, tch::Device::Cpu)?;
    /// let batch = Batch::single(checkpoint.tokenizer()?.encode("It was the best of")?)?;
    /// let output = model.run(&batch).execute()?;
    /// assert_eq!(output.logits.last(0)?.len(), model.config().d_vocab);
    /// # Ok(())
    /// # }
    /// ```
    pub fn run<'a>(&'a self, batch: &'a Batch) -> Run<'a> {
        Run::new(self, batch)
    }

    /// Prepares to continue each of `prompts` by up to `max_new_tokens` tokens.
    ///
    /// ```
    /// # use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, Result};
    /// # fn main() -> Result<()> {
    /// # let checkpoint = Checkpoint::bundled()?;
    /// # let (model, _) = Gpt2::load(&checkpoint, Precision::F32, tch::Device::Cpu)?;
    /// # let tokenizer = checkpoint.tokenizer()?;
    /// let prompts = Batch::single(tokenizer.encode("It was the best of")?)?;
    /// let generated = model.generate(&prompts, 8).execute()?;
    /// println!("{}", tokenizer.decode(&generated.tokens[0])?);
    /// # assert_eq!(generated.tokens[0].len(), 8);
    /// # Ok(())
    /// # }
    /// ```
    pub fn generate<'a>(&'a self, prompts: &'a Batch, max_new_tokens: usize) -> Generation<'a> {
        Generation::new(self, prompts, max_new_tokens)
    }
}

/// Reads weights as the model wants them.
struct Loader<'a> {
    weights: &'a Weights,
    precision: Precision,
    device: Device,
}

impl Loader<'_> {
    fn weight(&self, module: Module) -> Result<SharedTensor> {
        self.read(&module.weight())
    }

    fn bias(&self, module: Module) -> Result<SharedTensor> {
        self.read(&module.bias())
    }

    fn read(&self, name: &str) -> Result<SharedTensor> {
        let tensor = self.weights.read(name, self.precision.kind(), self.device)?;
        Ok(SharedTensor::from_own(tensor))
    }

    /// Whether there is an unembedding that is not the token embedding.
    fn unembeds_otherwise(&self, embed: &Embed) -> Result<bool> {
        match self.weights.shape(&Module::LmHead.weight()) {
            None => Ok(false),
            Some(_) => Ok(!self.weight(Module::LmHead)?.f_equal(&embed.tokens)?),
        }
    }
}
