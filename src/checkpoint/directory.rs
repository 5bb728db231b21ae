//! The files of a Hugging Face model directory.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::Path;

use serde::Deserialize;

use crate::error::{CheckpointError, FileError, Result};
use crate::files::regular_file::{self, RegularFile, is_there};
use crate::tokenizer::{Original, Tokenizer};

pub(super) const CONFIG: &str = "config.json";
pub(super) const WEIGHTS: &str = "model.safetensors";
pub(super) const WEIGHTS_INDEX: &str = "model.safetensors.index.json";
const ADAPTER: &str = "adapter_config.json";
pub(super) const TOKENIZER: &str = "tokenizer.json";
pub(super) const VOCAB: &str = "vocab.json";
pub(super) const MERGES: &str = "merges.txt";
pub(super) const ADDED_TOKENS: &str = "added_tokens.json";
pub(super) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
pub(super) const SPECIAL_TOKENS: &str = "special_tokens_map.json";
/// Each of them is a request to a hub, and a file held open.
const MOST_SHARDS: usize = 1000;
/// No file system in use has longer names.
const LONGEST_NAME: usize = 255;

/// The files that make a checkpoint, all of them open: whatever is written to the directory meanwhile, they are
/// of one moment.
pub(super) struct Files {
    pub config: RegularFile,
    pub weights: Vec<RegularFile>,
    /// A model is of use without its tokenizer, to those who have token ids.
    pub tokenizer: Option<TokenizerFiles>,
}

pub(super) enum TokenizerFiles {
    Json(RegularFile),
    Original(Box<Original>),
}

impl Files {
    pub fn open(directory: &Path) -> Result<Self> {
        if directory.as_os_str().is_empty() {
            return Err(FileError::NoDirectory.into());
        }
        if !is_there(directory)? {
            return Err(FileError::NotFound { path: directory.to_owned() }.into());
        }
        let open = |file: &str| RegularFile::open(&directory.join(file));
        let open_if_there = |file: &str| match is_there(&directory.join(file))? {
            true => open(file).map(Some),
            false => Ok(None),
        };
        let config = open(CONFIG)?;
        let adapter = directory.join(ADAPTER);
        if is_there(&adapter)? {
            return Err(CheckpointError::Adapter { path: adapter }.into());
        }
        let weights = if let Some(weights) = open_if_there(WEIGHTS)? {
            vec![weights]
        } else if let Some(index) = open_if_there(WEIGHTS_INDEX)? {
            let shards = shards(&index.content(regular_file::SMALL)?, index.path())?;
            shards.iter().map(|shard| open(shard)).collect::<Result<_>>()?
        } else {
            return Err(CheckpointError::NoWeights { path: directory.to_owned() }.into());
        };
        let tokenizer = if let Some(json) = open_if_there(TOKENIZER)? {
            Some(TokenizerFiles::Json(json))
        } else if let Some(vocab) = open_if_there(VOCAB)? {
            Some(TokenizerFiles::Original(Box::new(Original {
                vocab,
                merges: open(MERGES)?,
                added: open_if_there(ADDED_TOKENS)?,
                config: open_if_there(TOKENIZER_CONFIG)?,
                special: open_if_there(SPECIAL_TOKENS)?,
            })))
        } else {
            None
        };
        Ok(Self { config, weights, tokenizer })
    }
}

impl TokenizerFiles {
    /// Reads them, for a model that embeds `d_vocab` tokens.
    pub fn load(&self, d_vocab: usize) -> Result<Tokenizer> {
        match self {
            Self::Json(file) => {
                Tokenizer::from_json(&file.content(regular_file::LARGE)?, file.path())
            }
            Self::Original(files) => {
                Tokenizer::from_original(files, d_vocab.try_into().unwrap_or(u32::MAX))
            }
        }
    }
}

/// The shard files that the content of an index names.
pub(super) fn shards(content: &[u8], path: &Path) -> Result<BTreeSet<String>> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let index: Index =
        serde_json::from_slice(content).map_err(|error| FileError::json(path, &error))?;
    let shards: BTreeSet<String> = index.weight_map.into_values().collect();
    if shards.len() > MOST_SHARDS {
        let given = shards.len();
        let path = path.to_owned();
        return Err(CheckpointError::TooManyShards { path, given, allowed: MOST_SHARDS }.into());
    }
    // The index may come from anybody: it must not lead out of the model's directory.
    let is_beside = |shard: &str| {
        shard.len() <= LONGEST_NAME && Path::new(shard).file_name() == Some(OsStr::new(shard))
    };
    match shards.iter().find(|shard| !is_beside(shard)) {
        Some(shard) => {
            Err(CheckpointError::ShardName { path: path.to_owned(), given: shard.clone() }.into())
        }
        None => Ok(shards),
    }
}
