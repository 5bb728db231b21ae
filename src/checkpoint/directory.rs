//! The files of a Hugging Face model directory.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{CheckpointError, Error, FileError, Result};
use crate::tokenizer::Tokenizer;

pub(super) const CONFIG: &str = "config.json";
pub(super) const WEIGHTS: &str = "model.safetensors";
pub(super) const WEIGHTS_INDEX: &str = "model.safetensors.index.json";
const ADAPTER: &str = "adapter_config.json";
pub(super) const TOKENIZER: &str = "tokenizer.json";
pub(super) const VOCAB: &str = "vocab.json";
pub(super) const MERGES: &str = "merges.txt";

/// The files that make a checkpoint, all of them there.
pub(super) struct Files {
    pub config: PathBuf,
    pub weights: Vec<PathBuf>,
    /// A model is of use without its tokenizer, to those who have token ids.
    pub tokenizer: Option<TokenizerFiles>,
}

pub(super) enum TokenizerFiles {
    Json(PathBuf),
    VocabAndMerges(PathBuf, PathBuf),
}

impl Files {
    pub fn find(directory: &Path) -> Result<Self> {
        existing(directory.to_owned())?;
        let config = existing(directory.join(CONFIG))?;
        let adapter = directory.join(ADAPTER);
        if adapter.exists() {
            return Err(CheckpointError::Adapter { path: adapter }.into());
        }
        let index = directory.join(WEIGHTS_INDEX);
        let weights = if !directory.join(WEIGHTS).exists() && index.exists() {
            let shards = shards(&read(&index)?, &index)?;
            shards.iter().map(|shard| existing(directory.join(shard))).collect::<Result<_>>()?
        } else {
            vec![existing(directory.join(WEIGHTS))?]
        };
        let (json, vocab) = (directory.join(TOKENIZER), directory.join(VOCAB));
        let tokenizer = if json.exists() {
            Some(TokenizerFiles::Json(json))
        } else if vocab.exists() {
            Some(TokenizerFiles::VocabAndMerges(vocab, existing(directory.join(MERGES))?))
        } else {
            None
        };
        Ok(Self { config, weights, tokenizer })
    }
}

impl TokenizerFiles {
    pub fn load(&self) -> Result<Tokenizer> {
        match self {
            Self::Json(path) => Tokenizer::from_json(&read(path)?, path),
            Self::VocabAndMerges(vocab, merges) => Tokenizer::from_vocab_and_merges(vocab, merges),
        }
    }
}

/// The shard files that the content of an index names.
pub(super) fn shards(content: &[u8], path: &Path) -> Result<BTreeSet<String>> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let index: Index = serde_json::from_slice(content)
        .map_err(|source| Error::File(FileError::Json { path: path.to_owned(), source }))?;
    let shards: BTreeSet<String> = index.weight_map.into_values().collect();
    // The index may come from anybody: it must not lead out of the model's directory.
    match shards.iter().find(|shard| Path::new(shard).file_name() != Some(OsStr::new(shard))) {
        Some(shard) => {
            Err(CheckpointError::ShardName { path: path.to_owned(), given: shard.clone() }.into())
        }
        None => Ok(shards),
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path)
        .map_err(|source| Error::File(FileError::Read { path: path.to_owned(), source }))
}

fn existing(path: PathBuf) -> Result<PathBuf> {
    if path.exists() { Ok(path) } else { Err(FileError::NotFound { path }.into()) }
}
