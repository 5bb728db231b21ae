//! What comes of a sweep.

use ndarray::Array1;
use serde::Serialize;

use super::{EinsteinSweep, Finding, LayerPrediction, Prediction, Predictions, claims};
use crate::error::{Error, ExperimentError, Result};
use crate::sweep::Plan;
use crate::{Gpt2, Precision, device};

/// The result of an [`EinsteinSweep`]. Serialises to the documented JSON.
///
/// Everything is read at the last position; losses and entropies are in nats, ranks 0-based.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct EinsteinReport {
    /// The model.
    pub model: ModelSummary,
    /// What it was computed with.
    pub environment: Environment,
    /// The experiment as it was asked for.
    pub options: EinsteinSweep,
    /// What the model read.
    pub prompt: String,
    /// The same, in tokens.
    pub prompt_tokens: Vec<u32>,
    /// The word watched.
    pub target: String,
    /// Its token.
    pub target_token: u32,
    /// The factor.
    pub scale: f64,
    /// The layer looked at closely; one of `layers`.
    pub focus_layer: usize,
    /// The run without intervention.
    pub clean: Prediction,
    /// One run per layer, by layer.
    pub layers: Vec<LayerPrediction>,
    /// What was computed.
    pub work: SweepWork,
    /// What counts as a change, of a logit or in nats: what is less may be roundings.
    pub least_change: f64,
    /// The published findings, tested on this model.
    pub findings: Vec<Finding>,
    /// The clean logits, `[d_vocab]`.
    #[serde(skip)]
    pub clean_logits: Array1<f64>,
    /// The logits with the focus layer scaled, `[d_vocab]`.
    #[serde(skip)]
    pub focus_logits: Array1<f64>,
}

/// Which model a result is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ModelSummary {
    /// `bundled`, the directory, or the hub's name.
    pub name: String,
    /// Number of blocks.
    pub n_layers: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Heads per block.
    pub n_heads: usize,
    /// Tokens in the vocabulary.
    pub d_vocab: usize,
}

/// What a result was computed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Environment {
    /// The number format: `f32`, `f64` or `bf16`.
    pub dtype: String,
    /// Where: `cpu`, `cuda:0`, `mps`.
    pub device: String,
    /// By which software.
    pub versions: Versions,
}

/// The software that computed a result. `tch` does not tell the version of libtorch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Versions {
    /// This crate.
    #[serde(rename = "hooked-gpt2")]
    pub hooked_gpt2: &'static str,
}

/// What the sweep computed: layers are scaled together, each from where it first differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SweepWork {
    /// Positions that went through a block, over all blocks and runs.
    pub block_rows: usize,
    /// As many as a forward pass for each layer, and one for the clean run, would have taken.
    pub naive_block_rows: usize,
    /// Passes over the weights.
    pub passes: usize,
}

impl EinsteinReport {
    pub(super) fn new(name: &str, read: Predictions<'_>, plan: &Plan<'_>) -> Result<Self> {
        let Predictions { question, clean, mut layers, focus_logits } = read;
        let (clean, clean_logits) = clean.ok_or(Error::Experiment(ExperimentError::NoLayers))?;
        // The passes of a plan take the layers in an order of their own.
        layers.sort_by_key(|prediction| prediction.layer);
        let (asked, model) = (question.asked, question.model);
        let mut report = Self {
            model: ModelSummary::of(name, model),
            environment: Environment::of(model),
            options: asked.clone(),
            prompt: asked.prompt.clone(),
            prompt_tokens: question.prompt.sequences()[0].clone(),
            target: asked.target.clone(),
            target_token: question.target,
            scale: asked.scale,
            focus_layer: question.focus_layer,
            clean,
            layers,
            work: SweepWork::of(plan),
            least_change: least_change(model.precision()),
            findings: Vec::new(),
            clean_logits,
            focus_logits: focus_logits.ok_or(Error::Experiment(ExperimentError::NoLayers))?,
        };
        report.findings = claims::test(&report);
        Ok(report)
    }

    /// The prediction of the layer looked at closely.
    pub fn focus(&self) -> Option<&LayerPrediction> {
        self.layer(self.focus_layer)
    }

    /// The prediction with `layer` scaled, if it was.
    pub fn layer(&self, layer: usize) -> Option<&LayerPrediction> {
        self.layers.iter().find(|prediction| prediction.layer == layer)
    }

    /// Whether scaling the layer changed some logit by [`least_change`](Self::least_change) or more: without
    /// that, a row is no evidence of anything.
    pub fn is_evidence(&self, prediction: &LayerPrediction) -> bool {
        prediction.largest_logit_change >= self.least_change
    }

    /// Whether the final layer norm divided the factor out again, as it does with a positive one on the last
    /// `resid_post`, unless its epsilon weighs against the residual stream: measured, not assumed.
    pub fn is_divided_out(&self, prediction: &LayerPrediction) -> bool {
        let is_last = prediction.layer + 1 == self.model.n_layers;
        is_last && self.scale != 1.0 && !self.is_evidence(prediction)
    }
}

impl ModelSummary {
    fn of(name: &str, model: &Gpt2) -> Self {
        let config = model.config();
        Self {
            name: name.to_owned(),
            n_layers: config.n_layers,
            d_model: config.d_model,
            n_heads: config.n_heads,
            d_vocab: config.d_vocab,
        }
    }
}

impl Environment {
    fn of(model: &Gpt2) -> Self {
        Self {
            dtype: model.precision().to_string(),
            device: device::name(model.device()),
            versions: Versions { hooked_gpt2: env!("CARGO_PKG_VERSION") },
        }
    }
}

impl SweepWork {
    fn of(plan: &Plan<'_>) -> Self {
        Self {
            block_rows: plan.block_rows(),
            naive_block_rows: plan.naive_block_rows(),
            passes: plan.n_passes(),
        }
    }
}

/// A hundred times what roundings do to a loss in f32, and more than what they do in bf16.
fn least_change(precision: Precision) -> f64 {
    match precision {
        Precision::F32 | Precision::F64 => 1e-3,
        Precision::Bf16 => 0.05,
    }
}
