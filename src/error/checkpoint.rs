//! Why a checkpoint cannot be loaded.

use std::path::PathBuf;

/// Why a checkpoint cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// `config.json` asks for something that this crate does not compute.
    #[error("{path}: `{field}` is {given}, allowed: {allowed}", path = path.display())]
    Config {
        /// The configuration file.
        path: PathBuf,
        /// The field of it.
        field: &'static str,
        /// Its value.
        given: String,
        /// The values that are supported.
        allowed: String,
    },
    /// A safetensors file is damaged.
    #[error("{path}: not a valid safetensors file: {reason}", path = path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An index of shards names something other than a file beside it.
    #[error("{path}: the shard {given:?} is not the name of a file beside it", path = path.display())]
    ShardName {
        /// The index.
        path: PathBuf,
        /// The shard's name.
        given: String,
    },
    /// A tensor is in a number format that cannot be stored or loaded.
    #[error("{path}: `{tensor}` is stored as {given}, allowed: F32, F16, BF16, F64", path = path.display())]
    StoredKind {
        /// The file.
        path: PathBuf,
        /// The tensor's name in the file.
        tensor: String,
        /// How it is stored.
        given: String,
    },
    /// The checkpoint lacks weights.
    #[error("{checkpoint}: {count} weights are missing, the first is `{first}`", count = names.len(), first = names.first().map_or("", String::as_str))]
    MissingWeights {
        /// The checkpoint.
        checkpoint: String,
        /// The names that no file holds.
        names: Vec<String>,
    },
    /// A weight has another shape than the configuration asks for.
    #[error("{checkpoint}: `{tensor}` has shape {found:?}, config.json asks for {expected:?}")]
    WeightShape {
        /// The checkpoint.
        checkpoint: String,
        /// The weight.
        tensor: String,
        /// The shape that follows from the configuration.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// Two tensors of a checkpoint are one weight: by names with the prefix `transformer.` and without it, or
    /// in two shards.
    #[error("{path}: `{tensor}` is `{other}` of {other_path} again, only one of them is allowed", path = path.display(), other_path = other_path.display())]
    WeightTwice {
        /// The file of the second one.
        path: PathBuf,
        /// Its name there.
        tensor: String,
        /// The file of the first one.
        other_path: PathBuf,
        /// Its name there.
        other: String,
    },
    /// An adapter lies beside the weights, which it changes.
    #[error("{path}: an adapter cannot be applied, allowed: weights that it is merged into", path = path.display())]
    Adapter {
        /// The adapter's configuration.
        path: PathBuf,
    },
    /// The hub could not deliver a file.
    #[error("cannot get `{file}` of `{model}` from the hub: {reason}")]
    Hub {
        /// The model's name.
        model: String,
        /// The file.
        file: String,
        /// What the hub did, or did not do. Of what it sent no more than a few words, without control characters.
        reason: String,
    },
    /// A name that no model on the hub can have.
    #[error(
        "{given:?} is not the name of a model on the hub, allowed: `name` and `organisation/name`, of letters, digits, `.`, `_` and `-`"
    )]
    ModelName {
        /// The name.
        given: String,
    },
    /// A file of the hub's cache is no longer what was put there.
    #[error("{path}: damaged, {reason}: delete it, and it is downloaded again", path = path.display())]
    DamagedCache {
        /// The file to delete.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A model that is not in the cache was asked for without the network.
    #[error("`{model}` is not in the cache {cache} and downloads are off ({why})", cache = cache.display())]
    NotCached {
        /// The model's name.
        model: String,
        /// The cache directory that was searched.
        cache: PathBuf,
        /// What turned downloads off.
        why: &'static str,
    },
    /// A tokenizer was asked for and the checkpoint has none.
    #[error("{checkpoint} has no tokenizer: neither tokenizer.json nor vocab.json and merges.txt")]
    NoTokenizer {
        /// The checkpoint.
        checkpoint: String,
    },
    /// The tokenizer knows token ids that the embedding has no row for.
    #[error("the tokenizer has {tokenizer} token ids, the model embeds only {d_vocab}")]
    TokenizerTooLarge {
        /// One more than the largest id of the tokenizer.
        tokenizer: usize,
        /// Rows of the token embedding.
        d_vocab: usize,
    },
    /// The crate was built without a feature that the call needs.
    #[error("{what} needs the crate's feature `{feature}`")]
    FeatureDisabled {
        /// What was asked for.
        what: String,
        /// The feature.
        feature: &'static str,
    },
}
