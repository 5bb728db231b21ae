//! The shape of a GPT-2, as its `config.json` states it.

mod hugging_face;

use std::path::Path;

use serde_json::Value;

use hugging_face::Fields;

use crate::error::{Result, SelectionError};
use crate::site::{Site, SiteShape};

/// The activation function of the MLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x Φ(x)`, with the error function (`gelu`, `gelu_python`).
    Gelu,
    /// The tanh form of GELU, which GPT-2 was trained with (`gelu_new`, `gelu_pytorch_tanh`, `gelu_python_tanh`,
    /// `gelu_accurate`, `gelu_fast`).
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
    ("gelu_python_tanh", Activation::GeluTanh),
    ("gelu_accurate", Activation::GeluTanh),
    ("gelu_fast", Activation::GeluTanh),
    ("gelu", Activation::Gelu),
    ("gelu_python", Activation::Gelu),
    ("quick_gelu", Activation::QuickGelu),
    ("relu", Activation::Relu),
    ("silu", Activation::Silu),
    ("swish", Activation::Silu),
    ("tanh", Activation::Tanh),
];

/// Far more than any model has: names of weights take memory before a file can say that it has none of them.
const MOST_LAYERS: usize = 10_000;

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

impl Config {
    /// Reads the text of a Hugging Face `config.json`; `path` is only named in errors. What a file leaves out has
    /// the default of `transformers`.
    ///
    /// `reorder_and_upcast_attn` changes the order of roundings in half precision and nothing in
    /// the formula, so it is accepted; dropout rates do not matter outside training.
    ///
    /// # Errors
    /// [`Json`](crate::error::FileError::Json) for malformed text, [`Config`](crate::error::CheckpointError::Config) for another architecture or for any
    /// field whose value would change the mathematics in a way that is not computed here.
    pub fn from_json(text: &[u8], path: &Path) -> Result<Self> {
        let fields = Fields::parse(text, path)?;
        let (n_heads, d_model) = (fields.count("n_head", 12)?, fields.count("n_embd", 768)?);
        if !d_model.is_multiple_of(n_heads) {
            return Err(fields.refused("n_head", &format!("a divisor of n_embd = {d_model}")));
        }
        let d_mlp = match fields.is_null("n_inner") {
            true => 4 * d_model,
            false => fields.count("n_inner", 4 * d_model)?,
        };
        let n_layers = fields.count("n_layer", 12)?;
        if n_layers > MOST_LAYERS {
            return Err(fields.refused("n_layer", &format!("1 to {MOST_LAYERS}")));
        }
        let epsilon = |value: &Value| value.as_f64().filter(|&epsilon| epsilon >= 0.0);
        let names: Vec<_> = ACTIVATIONS.iter().map(|&(name, _)| name).collect();
        let activation = |value: &Value| {
            ACTIVATIONS.iter().find(|&&(name, _)| value == name).map(|&(_, activation)| activation)
        };
        Ok(Self {
            n_layers,
            n_heads,
            n_ctx: fields.count("n_positions", 1024)?,
            d_model,
            d_head: d_model / n_heads,
            d_mlp,
            d_vocab: fields.count("vocab_size", 50257)?,
            activation: fields.read(
                "activation_function",
                &names.join(", "),
                Activation::GeluTanh,
                activation,
            )?,
            layer_norm_epsilon: fields.read("layer_norm_epsilon", "0 or more", 1e-5, epsilon)?,
            scale_attn_weights: fields.flag("scale_attn_weights", true)?,
            scale_attn_by_inverse_layer_idx: fields
                .flag("scale_attn_by_inverse_layer_idx", false)?,
            tie_word_embeddings: fields.flag("tie_word_embeddings", true)?,
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
