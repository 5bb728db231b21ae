//! Where weights and tokenizers come from.
//!
//! A [`Checkpoint`] is a GPT-2 on disk, not yet in memory: its configuration is read and the names
//! and shapes of its weights are known. [`Gpt2::load`](crate::Gpt2::load) reads the weights.

mod directory;
#[cfg(feature = "hub")]
mod hub;
mod names;
mod report;
mod safetensors_file;
mod source;
mod weights;

use std::collections::BTreeMap;
use std::path::Path;

use crate::config::Config;
use crate::error::{CheckpointError, Error, Result};
use crate::files::regular_file;
use crate::tokenizer::Tokenizer;

pub(crate) use names::Module;
pub use report::{LoadReport, Mismatch};
pub(crate) use safetensors_file::SafetensorsFile;
pub use source::{Download, DownloadProgress, Source};
pub(crate) use weights::Weights;

/// A GPT-2 checkpoint that can be loaded.
#[derive(Debug)]
pub struct Checkpoint {
    name: String,
    config: Config,
    weights: Weights,
    tokenizer: Option<Tokenizer>,
}

impl Checkpoint {
    /// Opens whatever `source` names; `download` says whether and how the hub is asked.
    ///
    /// # Errors
    /// Those of [`bundled`](Self::bundled), [`directory`](Self::directory) and
    /// [`hub`](Self::hub), and [`CheckpointError::FeatureDisabled`] for a hub model without the feature `hub`.
    pub fn open(source: &Source, download: Download<'_>) -> Result<Self> {
        match source {
            Source::Bundled => Self::bundled(),
            Source::Directory(path) => Self::directory(path),
            #[cfg(feature = "hub")]
            Source::Hub(model) => Self::hub(model, download),
            #[cfg(not(feature = "hub"))]
            Source::Hub(model) => {
                let _ = download;
                let what = format!("loading `{model}` from the hub");
                Err(CheckpointError::FeatureDisabled { what, feature: "hub" }.into())
            }
        }
    }

    /// The small trained GPT-2 that is part of this crate: 12 blocks, 4 heads, `d_model` 128, 8,192
    /// tokens, trained on 41 English novels and on the [tasks](crate::data::Task) of the literature. Its card is
    /// [in the guide](crate::guide::bundled_model).
    ///
    /// It shows every tool at work offline and is no substitute for GPT-2.
    ///
    /// # Errors
    /// None that its users can cause.
    pub fn bundled() -> Result<Self> {
        const CONFIG: &[u8] = include_bytes!("../../assets/demo-model/config.json");
        const WEIGHTS: &[u8] = include_bytes!("../../assets/demo-model/model.safetensors");
        const TOKENIZER: &[u8] = include_bytes!("../../assets/demo-model/tokenizer.json");
        let path = Path::new("bundled");
        let config = Config::from_json(CONFIG, &path.join("config.json"))?;
        let weights = Weights::embedded(WEIGHTS, &path.join("model.safetensors"))?;
        let tokenizer = Tokenizer::from_json(TOKENIZER, &path.join("tokenizer.json"))?;
        Self::new("bundled".to_owned(), config, weights, Some(tokenizer))
    }

    /// A directory as Hugging Face writes it: `config.json`; `model.safetensors`, or shards with
    /// `model.safetensors.index.json`; and `tokenizer.json`, or `vocab.json` and `merges.txt`,
    /// without which only token ids can be run. All of them are opened before the first is read; those of
    /// weights stay open.
    ///
    /// Weight names may carry the prefix `transformer.` or not. Weights stored as f32, f16, bf16 or
    /// f64 load in either [`Precision`](crate::Precision).
    ///
    /// # Errors
    /// [`NotFound`](crate::error::FileError::NotFound) for a missing directory or file, [`CheckpointError::NoWeights`],
    /// [`CheckpointError::Config`] for another architecture, [`CheckpointError::Safetensors`] for damaged weights, [`CheckpointError::WeightTwice`],
    /// [`CheckpointError::Adapter`], [`File`](crate::error::TokenizerError::File) and
    /// [`Part`](crate::error::TokenizerError::Part) for a tokenizer that is not GPT-2's,
    /// [`CheckpointError::TokenizerTooLarge`], and the cases of [`FileError`](crate::error::FileError).
    pub fn directory(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let files = directory::Files::open(path)?;
        let content = files.config.content(regular_file::SMALL)?;
        let config = Config::from_json(&content, files.config.path())?;
        let weights = Weights::files(files.weights)?;
        let tokenizer = files.tokenizer.map(|files| files.load(config.d_vocab)).transpose()?;
        Self::new(path.display().to_string(), config, weights, tokenizer)
    }

    /// A model of the Hugging Face hub: `gpt2`, `gpt2-medium`, `gpt2-large`, `gpt2-xl`,
    /// `distilgpt2`, or any `organisation/name`.
    ///
    /// The standard cache is looked into first; what is not there is downloaded into it. The
    /// environment variables `HF_HOME`, `HF_HUB_CACHE`, `HF_HUB_OFFLINE`, `HF_TOKEN`,
    /// `HF_TOKEN_PATH` and `HF_ENDPOINT` mean what they mean everywhere.
    ///
    /// # Errors
    /// [`CheckpointError::NotCached`] when downloads are off, [`CheckpointError::Hub`] when one fails,
    /// [`CheckpointError::ModelName`], [`CheckpointError::DamagedCache`], and those of
    /// [`directory`](Self::directory).
    #[cfg(feature = "hub")]
    pub fn hub(model: &str, download: Download<'_>) -> Result<Self> {
        let snapshot = hub::snapshot(model, download)?;
        let checkpoint =
            Self::directory(&snapshot).map_err(|error| hub::blame(&snapshot, error))?;
        Ok(Self { name: model.to_owned(), ..checkpoint })
    }

    fn new(
        name: String,
        config: Config,
        mut weights: Weights,
        tokenizer: Option<Tokenizer>,
    ) -> Result<Self> {
        if config.tie_word_embeddings {
            weights.tie();
        }
        let (ids, d_vocab) = (tokenizer.as_ref().map_or(0, Tokenizer::id_count), config.d_vocab);
        if ids > d_vocab {
            let error =
                CheckpointError::TokenizerTooLarge { checkpoint: name, tokenizer: ids, d_vocab };
            return Err(error.into());
        }
        Ok(Self { name, config, weights, tokenizer })
    }

    /// `bundled`, the directory, or the hub's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The model's shape.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The tokenizer that the model was trained with.
    ///
    /// # Errors
    /// [`CheckpointError::NoTokenizer`] if the checkpoint came without one.
    pub fn tokenizer(&self) -> Result<&Tokenizer> {
        let missing =
            || Error::Checkpoint(CheckpointError::NoTokenizer { checkpoint: self.name.clone() });
        self.tokenizer.as_ref().ok_or_else(missing)
    }

    /// What loading will find: names and shapes are compared with the configuration, no weight is
    /// read. Only loading tells [`LoadReport::untied`].
    pub fn report(&self) -> LoadReport {
        LoadReport::new(&self.config, &self.weights)
    }

    /// The SHA-256 of each file of weights, in 64 hexadecimal digits, by the file's name: which model a result is about,
    /// whatever it is called. All of them are read.
    ///
    /// # Errors
    /// [`Changed`](crate::error::FileError::Changed) and [`Read`](crate::error::FileError::Read).
    pub fn weights_sha256(&self) -> Result<BTreeMap<String, String>> {
        self.weights.sha256()
    }

    pub(crate) fn weights(&self) -> &Weights {
        &self.weights
    }
}
