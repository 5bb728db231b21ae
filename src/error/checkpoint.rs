//! Why a checkpoint cannot be loaded.

use std::path::PathBuf;

use super::{shown, shown_debug, shown_path, shown_reason};

/// Why a checkpoint cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// `config.json` asks for something that this crate does not compute.
    #[error("{path}: `{field}` is {given}, allowed: {allowed}", path = shown_path(path), given = shown(given))]
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
    #[error("{path}: not a valid safetensors file: {reason}", path = shown_path(path), reason = shown_reason(reason))]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An index of shards names something other than a file beside it.
    #[error("{path}: the shard {given} is not the name of a file beside it", path = shown_path(path), given = shown_debug(given))]
    ShardName {
        /// The index.
        path: PathBuf,
        /// The shard's name.
        given: String,
    },
    /// An index names more shards than a checkpoint can sensibly have.
    #[error("{path}: {given} shards, allowed: {allowed}", path = shown_path(path))]
    TooManyShards {
        /// The index.
        path: PathBuf,
        /// How many it names.
        given: usize,
        /// The most allowed.
        allowed: usize,
    },
    /// A tensor is in a number format that cannot be stored or loaded.
    #[error("{path}: `{tensor}` is stored as {given}, allowed: F32, F16, BF16, F64", path = shown_path(path), tensor = shown(tensor))]
    StoredKind {
        /// The file.
        path: PathBuf,
        /// The tensor's name in the file.
        tensor: String,
        /// How it is stored.
        given: String,
    },
    /// A weight is NaN or infinite, in the file or in the number format that it is loaded in.
    #[error("{path}: `{tensor}` is {given:e} at {place:?}, a number that is finite in {precision} is needed", path = shown_path(path), tensor = shown(tensor))]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The weight's name in the file.
        tensor: String,
        /// Where the first such number is, along each axis.
        place: Vec<usize>,
        /// That number.
        given: f64,
        /// The number format.
        precision: &'static str,
    },
    /// The checkpoint lacks weights.
    #[error("{checkpoint}: {missing}", checkpoint = shown_reason(checkpoint), missing = missing(names))]
    MissingWeights {
        /// The checkpoint.
        checkpoint: String,
        /// The names that no file holds.
        names: Vec<String>,
    },
    /// A weight has another shape than the configuration asks for.
    #[error("{checkpoint}: `{tensor}` has shape {found}, config.json asks for {expected:?}", checkpoint = shown_reason(checkpoint), tensor = shown(tensor), found = shown_debug(found))]
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
    #[error("{path}: `{tensor}` is `{other}` of {other_path} again, only one of them is allowed", tensor = shown(tensor), other = shown(other), path = shown_path(path), other_path = shown_path(other_path))]
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
    #[error("{path}: an adapter cannot be applied, allowed: weights that it is merged into", path = shown_path(path))]
    Adapter {
        /// The adapter's configuration.
        path: PathBuf,
    },
    /// The hub could not deliver a file.
    #[error("cannot get `{file}` of `{model}` from the hub: {reason}", file = shown(file), model = shown(model))]
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
        "{given} is not the name of a model on the hub, allowed: `name` and `organisation/name`, of letters, digits, `.`, `_` and `-`",
        given = shown_debug(given)
    )]
    ModelName {
        /// The name.
        given: String,
    },
    /// A file of the hub's cache is no longer what was put there.
    #[error("{path}: damaged, {reason}: delete it, and it is downloaded again", path = shown_path(path))]
    DamagedCache {
        /// The file to delete.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A model that is not in the cache was asked for without the network.
    #[error("`{model}` is not in the cache {cache} and downloads are off ({why})", model = shown(model), cache = shown_path(cache))]
    NotCached {
        /// The model's name.
        model: String,
        /// The cache directory that was searched.
        cache: PathBuf,
        /// What turned downloads off.
        why: &'static str,
    },
    /// A directory has no weights in a format that is read.
    #[error("{path} has no weights: neither model.safetensors nor model.safetensors.index.json", path = shown_path(path))]
    NoWeights {
        /// The directory.
        path: PathBuf,
    },
    /// A tokenizer was asked for and the checkpoint has none.
    #[error("{checkpoint} has no tokenizer: neither tokenizer.json nor vocab.json and merges.txt", checkpoint = shown_reason(checkpoint))]
    NoTokenizer {
        /// The checkpoint.
        checkpoint: String,
    },
    /// The tokenizer knows token ids that the embedding has no row for.
    #[error("{checkpoint}: the tokenizer has {tokenizer} token ids, the model embeds only {d_vocab}", checkpoint = shown_reason(checkpoint))]
    TokenizerTooLarge {
        /// The checkpoint.
        checkpoint: String,
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

fn missing(names: &[String]) -> String {
    match names {
        [name] => format!("the weight `{}` is missing", shown(name)),
        names => {
            let first = shown(names.first().map_or("", String::as_str));
            format!("{} weights are missing, the first is `{first}`", names.len())
        }
    }
}
