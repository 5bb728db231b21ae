//! The shape of a GPT-2, as its `config.json` states it.

use std::path::Path;

use serde::Deserialize;

use crate::error::{CheckpointError, Error, FileError, Result, SelectionError};
use crate::site::{Site, SiteShape};

/// The activation function of the MLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x Φ(x)`, with the error function (`gelu`).
    Gelu,
    /// The tanh form of GELU, which GPT-2 was trained with (`gelu_new`, `gelu_pytorch_tanh`, `gelu_fast`).
    GeluTanh,
    /// `x σ(1.702 x)` (`quick_gelu`).
    QuickGelu,
    /// `max(0, x)` (`relu`).
    Relu,
    /// `x σ(x)` (`silu`, `swish`).
    Silu,
    /// `tanh(x)` (`tanh`).
    Tanh,
}

const ACTIVATIONS: &[(&str, Activation)] = &[
    ("gelu_new", Activation::GeluTanh),
    ("gelu_pytorch_tanh", Activation::GeluTanh),
    ("gelu_fast", Activation::GeluTanh),
    ("gelu", Activation::Gelu),
    ("quick_gelu", Activation::QuickGelu),
    ("relu", Activation::Relu),
    ("silu", Activation::Silu),
    ("swish", Activation::Silu),
    ("tanh", Activation::Tanh),
];

/// Everything about a GPT-2 that changes its mathematics, under the field's names.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// Number of blocks.
    pub n_layers: usize,
    /// Attention heads per block.
    pub n_heads: usize,
    /// Longest sequence, in tokens.
    pub n_ctx: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Width of one head, `d_model / n_heads`.
    pub d_head: usize,
    /// Neurons per block.
    pub d_mlp: usize,
    /// Number of tokens in the vocabulary.
    pub d_vocab: usize,
    /// Activation function of the MLP.
    pub activation: Activation,
    /// Added to the variance inside every layer norm.
    pub layer_norm_epsilon: f64,
    /// Whether attention scores are divided by `sqrt(d_head)`.
    pub scale_attn_weights: bool,
    /// Whether attention scores are divided by `layer + 1`, too.
    pub scale_attn_by_inverse_layer_idx: bool,
    /// Whether the unembedding is the token embedding.
    pub tie_word_embeddings: bool,
}

/// `config.json` as Hugging Face writes it; what a file leaves out has their default.
#[derive(Deserialize)]
#[serde(default)]
struct HuggingFaceConfig {
    model_type: Option<String>,
    vocab_size: usize,
    n_positions: usize,
    n_embd: usize,
    n_layer: usize,
    n_head: usize,
    n_inner: Option<usize>,
    activation_function: String,
    layer_norm_epsilon: f64,
    scale_attn_weights: bool,
    scale_attn_by_inverse_layer_idx: bool,
    tie_word_embeddings: bool,
    add_cross_attention: bool,
    pruned_heads: serde_json::Map<String, serde_json::Value>,
    quantization_config: Option<serde_json::Value>,
}

impl Default for HuggingFaceConfig {
    fn default() -> Self {
        Self {
            model_type: None,
            vocab_size: 50257,
            n_positions: 1024,
            n_embd: 768,
            n_layer: 12,
            n_head: 12,
            n_inner: None,
            activation_function: "gelu_new".to_owned(),
            layer_norm_epsilon: 1e-5,
            scale_attn_weights: true,
            scale_attn_by_inverse_layer_idx: false,
            tie_word_embeddings: true,
            add_cross_attention: false,
            pruned_heads: serde_json::Map::new(),
            quantization_config: None,
        }
    }
}

impl Config {
    /// Reads the text of a Hugging Face `config.json`; `path` is only named in errors.
    ///
    /// `reorder_and_upcast_attn` changes the order of roundings in half precision and nothing in
    /// the formula, so it is accepted; dropout rates do not matter outside training.
    ///
    /// # Errors
    /// [`FileError::Json`] for malformed text, [`CheckpointError::Config`] for another architecture or for any
    /// field whose value would change the mathematics in a way that is not computed here.
    pub fn from_json(text: &[u8], path: &Path) -> Result<Self> {
        let raw: HuggingFaceConfig = serde_json::from_slice(text)
            .map_err(|source| Error::File(FileError::Json { path: path.to_owned(), source }))?;
        let refuse = |field, given: String, allowed: String| {
            Err(CheckpointError::Config { path: path.to_owned(), field, given, allowed }.into())
        };

        match raw.model_type.as_deref() {
            Some("gpt2") => {}
            other => {
                let given = other.unwrap_or("missing").to_owned();
                return refuse("model_type", given, "gpt2".to_owned());
            }
        }
        for (field, given) in [
            ("vocab_size", raw.vocab_size),
            ("n_positions", raw.n_positions),
            ("n_embd", raw.n_embd),
            ("n_layer", raw.n_layer),
            ("n_head", raw.n_head),
            ("n_inner", raw.n_inner.unwrap_or(1)),
        ] {
            if given == 0 {
                return refuse(field, given.to_string(), "1 or more".to_owned());
            }
        }
        if !raw.n_embd.is_multiple_of(raw.n_head) {
            let allowed = format!("a divisor of n_embd = {}", raw.n_embd);
            return refuse("n_head", raw.n_head.to_string(), allowed);
        }
        if !(raw.layer_norm_epsilon.is_finite() && raw.layer_norm_epsilon >= 0.0) {
            let given = raw.layer_norm_epsilon.to_string();
            return refuse("layer_norm_epsilon", given, "0 or more".to_owned());
        }
        if raw.add_cross_attention {
            return refuse("add_cross_attention", "true".to_owned(), "false".to_owned());
        }
        if !raw.pruned_heads.is_empty() {
            let given = serde_json::Value::Object(raw.pruned_heads).to_string();
            return refuse("pruned_heads", given, "{}".to_owned());
        }
        if let Some(given) = raw.quantization_config {
            return refuse("quantization_config", given.to_string(), "null".to_owned());
        }
        let name = raw.activation_function.as_str();
        let Some(&(_, activation)) = ACTIVATIONS.iter().find(|(known, _)| *known == name) else {
            let allowed: Vec<_> = ACTIVATIONS.iter().map(|(known, _)| *known).collect();
            return refuse("activation_function", name.to_owned(), allowed.join(", "));
        };

        Ok(Self {
            n_layers: raw.n_layer,
            n_heads: raw.n_head,
            n_ctx: raw.n_positions,
            d_model: raw.n_embd,
            d_head: raw.n_embd / raw.n_head,
            d_mlp: raw.n_inner.unwrap_or(4 * raw.n_embd),
            d_vocab: raw.vocab_size,
            activation,
            layer_norm_epsilon: raw.layer_norm_epsilon,
            scale_attn_weights: raw.scale_attn_weights,
            scale_attn_by_inverse_layer_idx: raw.scale_attn_by_inverse_layer_idx,
            tie_word_embeddings: raw.tie_word_embeddings,
        })
    }

    /// The factor on the attention scores of block `layer`.
    pub(crate) fn attention_scale(&self, layer: usize) -> f64 {
        let mut scale = 1.0;
        if self.scale_attn_weights {
            scale /= (self.d_head as f64).sqrt();
        }
        if self.scale_attn_by_inverse_layer_idx {
            scale /= (layer + 1) as f64;
        }
        scale
    }

    /// The length of the last axis of a site's tensor; of attention, whose keys are as many as the
    /// positions, 1.
    pub(crate) fn width(&self, shape: SiteShape) -> usize {
        match shape {
            SiteShape::Residual | SiteShape::HeadResidual => self.d_model,
            SiteShape::HeadVector => self.d_head,
            SiteShape::Neurons => self.d_mlp,
            SiteShape::Vocabulary => self.d_vocab,
            SiteShape::PerPosition | SiteShape::Attention => 1,
        }
    }

    /// Checks that the model has `site`.
    pub(crate) fn check_site(&self, site: Site) -> Result<()> {
        site.layer().map_or(Ok(()), |layer| self.check_layer(layer))
    }

    /// Checks that `layer` is a block of this model.
    ///
    /// # Errors
    /// [`SelectionError::LayerOutOfRange`].
    pub fn check_layer(&self, layer: usize) -> Result<()> {
        if layer < self.n_layers {
            Ok(())
        } else {
            Err(SelectionError::LayerOutOfRange { given: layer, n_layers: self.n_layers }.into())
        }
    }
}
