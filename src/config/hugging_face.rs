//! The fields of a Hugging Face `config.json`, read as `transformers` reads them.

use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{CheckpointError, Error, FileError, Result};

/// Fields that may change what is computed, and the values with which they do not.
///
/// What is neither here nor read has no effect on logits in `transformers` 5.23.
const ALLOWED: &[(&str, &[&str])] = &[
    ("add_cross_attention", &["false"]),
    ("is_causal", &["true"]),
    // With a cache, queries would see a window alone.
    ("sliding_window", &["null"]),
    ("attention_chunk_size", &["null"]),
    ("pruned_heads", &["null", "{}"]),
    ("per_layer_config", &["null", "{}"]),
    ("quantization_config", &["null"]),
    // A kernel from elsewhere may compute anything, and so may code of the checkpoint's own.
    ("attn_implementation", ATTENTIONS),
    ("_attn_implementation", ATTENTIONS),
    ("auto_map", &["null", "{}"]),
    // These name other files to be read, and other fields.
    ("transformers_weights", &["null"]),
    ("configuration_files", &["null"]),
    ("attribute_map", &["null"]),
];

/// The same for fields that are lists, of which each entry must be one of these.
const ALLOWED_IN_LIST: &[(&str, &[&str])] = &[
    // Others have no logits over the vocabulary, or code of their own.
    ("architectures", &["GPT2LMHeadModel", "GPT2Model", "GPT2DoubleHeadsModel"]),
    ("layer_types", &["full_attention"]),
];

const ATTENTIONS: &[&str] =
    &["null", "eager", "sdpa", "flash_attention_2", "flash_attention_3", "flash_attention_4"];

/// The names that all models have for what GPT-2 has a name of its own for.
const GENERAL_NAMES: &[(&str, &str)] = &[
    ("n_embd", "hidden_size"),
    ("n_head", "num_attention_heads"),
    ("n_layer", "num_hidden_layers"),
    ("n_positions", "max_position_embeddings"),
];

/// A `config.json`.
pub(super) struct Fields<'a> {
    path: &'a Path,
    fields: Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// Reads the file and refuses the fields that ask for what is not computed here. Of a field that is there
    /// twice, the last counts.
    pub fn parse(content: &[u8], path: &'a Path) -> Result<Self> {
        let fields =
            serde_json::from_slice(content).map_err(|error| FileError::json(path, &error))?;
        let fields = Self { path, fields };
        if fields.fields.get("model_type").is_none_or(|value| value != "gpt2") {
            return Err(fields.refused("model_type", "gpt2"));
        }
        let is_one_of = |allowed: &[&str], value: &Value| allowed.contains(&&*text(value));
        for &(field, allowed) in ALLOWED {
            fields.check(field, allowed, |value| is_one_of(allowed, value))?;
        }
        for &(field, allowed) in ALLOWED_IN_LIST {
            fields.check(field, allowed, |value| match value {
                Value::Array(entries) => entries.iter().all(|entry| is_one_of(allowed, entry)),
                value => value.is_null(),
            })?;
        }
        Ok(fields)
    }

    fn check(
        &self,
        field: &'static str,
        allowed: &[&str],
        is_allowed: impl Fn(&Value) -> bool,
    ) -> Result<()> {
        let parse = |value: &Value| is_allowed(value).then_some(());
        self.read(field, &allowed.join(", "), (), parse)
    }

    /// A number of things.
    pub fn count(&self, field: &'static str, default: usize) -> Result<usize> {
        let count = |value: &Value| value.as_u64().and_then(|count| u32::try_from(count).ok());
        let positive = |value: &Value| count(value).filter(|&count| count > 0);
        self.read(field, "1 to 4294967295", default, |value| Some(positive(value)? as usize))
    }

    pub fn flag(&self, field: &'static str, default: bool) -> Result<bool> {
        self.read(field, "true, false", default, Value::as_bool)
    }

    /// What `parse` makes of a field, or `default` if it is not there.
    pub fn read<T>(
        &self,
        field: &'static str,
        allowed: &str,
        default: T,
        parse: impl Fn(&Value) -> Option<T>,
    ) -> Result<T> {
        match self.fields.get(self.spelled(field)) {
            None => Ok(default),
            Some(value) => parse(value).ok_or_else(|| self.refused(field, allowed)),
        }
    }

    pub fn is_null(&self, field: &str) -> bool {
        self.fields.get(field).is_some_and(Value::is_null)
    }

    /// The name under which a field counts: if both of its names are there, it is the general one.
    fn spelled(&self, field: &'static str) -> &'static str {
        let general = GENERAL_NAMES.iter().find(|&&(own, _)| own == field);
        match general {
            Some(&(_, general)) if self.fields.contains_key(general) => general,
            _ => field,
        }
    }

    pub fn refused(&self, field: &'static str, allowed: &str) -> Error {
        let field = self.spelled(field);
        let given = self.fields.get(field).map_or("missing".to_owned(), text);
        Error::Checkpoint(CheckpointError::Config {
            path: self.path.to_owned(),
            field,
            given,
            allowed: allowed.to_owned(),
        })
    }
}

/// A value as a reader of the file would quote it.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
