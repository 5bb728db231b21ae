//! The Einstein sweep: scale the residual stream leaving one layer after another, and watch one
//! word.
//!
//! GPT-2 Medium reads "I have no special talents. I am only passionately" and should go on with
//! " curious". What the sweep measures, and when each of the three published findings counts as
//! confirmed, is written down in [the guide](crate::guide::einstein_sweep).

mod findings;

use ndarray::{Array1, ArrayView1};
use serde::Serialize;

use crate::analysis::{correlation, entropy, loss, rank, spread};
use crate::batch::Batch;
use crate::error::{AnalysisError, Error, ExperimentError, Result, SelectionError};
use crate::intervention::LayerScaling;
use crate::model::Gpt2;
use crate::sweep::{self, Axis, Progress, Sweep, Variants};
use crate::tokenizer::Tokenizer;

pub use findings::Finding;

/// The experiment. [`Default`] is the published one.
#[derive(Debug, Clone, PartialEq)]
pub struct EinsteinSweep {
    /// What the model reads.
    pub prompt: String,
    /// The one token that it should go on with.
    pub target: String,
    /// The factor on each layer's `resid_post`.
    pub scale: f64,
    /// The layers to scale, one at a time; all of them for `None`.
    pub layers: Option<Vec<usize>>,
    /// The layer to look at closely; layer 2, or the nearest swept one, for `None`.
    pub focus_layer: Option<usize>,
    /// How many of the most likely tokens to keep.
    pub top_k: usize,
}

impl Default for EinsteinSweep {
    fn default() -> Self {
        Self {
            prompt: "I have no special talents. I am only passionately".to_owned(),
            target: " curious".to_owned(),
            scale: 0.6,
            layers: None,
            focus_layer: None,
            top_k: 10,
        }
    }
}

/// The layer that the published finding is about.
const PUBLISHED_FOCUS: usize = 2;

/// The result of an [`EinsteinSweep`]. Serialises to the documented JSON.
///
/// Everything is read at the last position; losses and entropies are in nats, ranks 0-based.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct EinsteinReport {
    /// The model.
    pub model: ModelSummary,
    /// What it read.
    pub prompt: String,
    /// The same, in tokens.
    pub prompt_tokens: Vec<u32>,
    /// The word watched.
    pub target: String,
    /// Its token.
    pub target_token: u32,
    /// The factor.
    pub scale: f64,
    /// The run without intervention.
    pub clean: Reading,
    /// One run per layer, by layer.
    pub layers: Vec<LayerReading>,
    /// What was computed.
    pub work: SweepWork,
    /// The published findings, tested on this model.
    pub findings: Vec<Finding>,
    /// The layer looked at closely; one of `layers`.
    #[serde(skip)]
    pub focus_layer: usize,
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

/// What one run says about the target.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Reading {
    /// Negative log-likelihood of the target, in nats.
    pub loss: f64,
    /// Rank of the target; 0 for the most likely token.
    pub rank: usize,
    /// Probability of the target.
    pub probability: f64,
    /// Entropy of the next-token distribution, in nats.
    pub entropy: f64,
    /// The most likely tokens, the most likely first.
    pub top_k: Vec<TopToken>,
}

/// A [`Reading`] with one layer scaled, against the clean one.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LayerReading {
    /// The layer scaled.
    pub layer: usize,
    /// Negative log-likelihood of the target, in nats.
    pub loss: f64,
    /// `loss` minus the clean loss: negative where scaling helped.
    pub delta_loss: f64,
    /// Rank of the target; 0 for the most likely token.
    pub rank: usize,
    /// Probability of the target.
    pub probability: f64,
    /// Entropy of the next-token distribution, in nats.
    pub entropy: f64,
    /// Pearson correlation with the clean logits, over the whole vocabulary; `None` (`null` in
    /// JSON) if scaling made all logits equal.
    pub pearson: Option<f64>,
    /// Mean over the vocabulary of scaled minus clean logit.
    pub mean_logit_shift: f64,
    /// Standard deviation over the vocabulary of the scaled logits, over that of the clean ones.
    pub logit_std_ratio: f64,
    /// The most likely tokens, the most likely first.
    pub top_k: Vec<TopToken>,
}

/// A likely next token.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TopToken {
    /// The token id.
    pub token: u32,
    /// Its text.
    pub text: String,
    /// Its logit.
    pub logit: f64,
    /// Its log-probability, in nats.
    pub log_prob: f64,
}

impl EinsteinSweep {
    /// Runs the sweep; `name` is what the report calls the model, and `progress` is told how far it has
    /// come.
    ///
    /// # Errors
    /// All bad input is found before the first layer is scaled: [`EmptySequence`](crate::error::BatchError::EmptySequence) for an
    /// empty prompt, [`SequenceTooLong`](crate::error::BatchError::SequenceTooLong), [`NotOneToken`](crate::error::TokenizerError::NotOneToken) for the target,
    /// [`NotFinite`](crate::error::InterventionError::NotFinite) for the factor, [`SelectionError::LayerOutOfRange`], [`ExperimentError::NoLayers`],
    /// [`ExperimentError::FocusNotSwept`], [`AnalysisError::TopKOutOfRange`], and [`NonFiniteAt`](crate::error::RunError::NonFiniteAt) for weights with
    /// NaN or infinities. [`Variant`](crate::error::SweepError::Variant) if a scaled run
    /// fails, as with a factor so large that the logits overflow.
    pub fn run(
        &self,
        name: &str,
        model: &Gpt2,
        tokenizer: &Tokenizer,
        mut progress: impl FnMut(Progress),
    ) -> Result<EinsteinReport> {
        let config = model.config();
        let batch = Batch::single(tokenizer.encode(&self.prompt)?)?;
        let target_token = tokenizer.single_token(&self.target)?;
        let layers = self.swept_layers(config.n_layers)?;
        let focus_layer = self.focus(&layers, config.n_layers)?;
        let variants = Variants::over(
            [Axis::new("layer", &layers)],
            |index, _| {
                let mut scaling = LayerScaling::new();
                scaling.insert(layers[index[0]], self.scale)?;
                Ok(scaling)
            },
            &batch,
        )?;
        let plan = Sweep::new(model, &batch).plan(&variants)?;

        let reader = Reader { target_token, top_k: self.top_k, tokenizer };
        let mut clean: Option<(Reading, Array1<f64>)> = None;
        let mut focus_logits = None;
        let mut readings = Vec::with_capacity(layers.len());
        let read = |logits: &sweep::Reading<'_>| {
            let base = match &mut clean {
                Some(clean) => clean,
                unread => {
                    let reading = reader.read(logits.base).map_err(|error| {
                        // Weights that are not finite are named with their place.
                        model.run(&batch).check_finite().execute().err().unwrap_or(error)
                    })?;
                    unread.insert((reading, logits.base.to_owned()))
                }
            };
            let Some(&[variant]) = logits.index else { return Ok(()) };
            let layer = layers[variant];
            let reading = reader.compare(layer, logits.logits, &base.0, logits.base);
            readings.push(reading?);
            if layer == focus_layer {
                focus_logits = Some(logits.logits.to_owned());
            }
            Ok(())
        };
        plan.read_with_progress(read, |done| {
            progress(done);
            true
        })?;
        // The passes of a plan take the layers in an order of their own.
        readings.sort_by_key(|reading| reading.layer);
        let (clean, clean_logits) = clean.ok_or(Error::Experiment(ExperimentError::NoLayers))?;
        let focus_logits = focus_logits.ok_or(Error::Experiment(ExperimentError::NoLayers))?;
        let work = SweepWork {
            block_rows: plan.block_rows(),
            naive_block_rows: plan.naive_block_rows(),
            passes: plan.n_passes(),
        };

        let mut report = EinsteinReport {
            model: ModelSummary {
                name: name.to_owned(),
                n_layers: config.n_layers,
                d_model: config.d_model,
                n_heads: config.n_heads,
                d_vocab: config.d_vocab,
            },
            prompt: self.prompt.clone(),
            prompt_tokens: batch.sequences()[0].clone(),
            target: self.target.clone(),
            target_token,
            scale: self.scale,
            clean,
            layers: readings,
            work,
            findings: Vec::new(),
            focus_layer,
            clean_logits,
            focus_logits,
        };
        report.findings = findings::test(&report)?;
        Ok(report)
    }

    fn swept_layers(&self, n_layers: usize) -> Result<Vec<usize>> {
        let Some(mut layers) = self.layers.clone() else { return Ok((0..n_layers).collect()) };
        layers.sort_unstable();
        layers.dedup();
        match layers.last() {
            None => Err(ExperimentError::NoLayers.into()),
            Some(&given) if given >= n_layers => {
                Err(SelectionError::LayerOutOfRange { given, n_layers }.into())
            }
            Some(_) => Ok(layers),
        }
    }

    fn focus(&self, layers: &[usize], n_layers: usize) -> Result<usize> {
        match self.focus_layer {
            Some(given) if given >= n_layers => {
                Err(SelectionError::LayerOutOfRange { given, n_layers }.into())
            }
            Some(given) if !layers.contains(&given) => {
                Err(ExperimentError::FocusNotSwept { given, swept: layers.to_vec() }.into())
            }
            Some(given) => Ok(given),
            None => {
                let nearest = layers.iter().min_by_key(|layer| layer.abs_diff(PUBLISHED_FOCUS));
                nearest.copied().ok_or(Error::Experiment(ExperimentError::NoLayers))
            }
        }
    }
}

impl EinsteinReport {
    /// Whether the factor on `layer` cannot count as evidence: the final layer norm divides a
    /// positive factor on the last `resid_post` out again, but for its epsilon.
    pub fn is_divided_out(&self, layer: usize) -> bool {
        layer + 1 == self.model.n_layers && self.scale > 0.0
    }

    /// The reading of the layer looked at closely.
    pub fn focus(&self) -> Option<&LayerReading> {
        self.layers.iter().find(|reading| reading.layer == self.focus_layer)
    }
}

/// Turns logits into readings.
struct Reader<'a> {
    target_token: u32,
    top_k: usize,
    tokenizer: &'a Tokenizer,
}

impl Reader<'_> {
    fn read(&self, logits: ArrayView1<'_, f64>) -> Result<Reading> {
        let loss = loss::negative_log_likelihood(logits, self.target_token)?;
        let top_k = rank::top_k(logits, self.top_k)?;
        let with_text = |ranked: rank::RankedToken| {
            Ok(TopToken {
                token: ranked.token,
                text: self.tokenizer.decode(&[ranked.token])?,
                logit: ranked.logit,
                log_prob: ranked.log_prob,
            })
        };
        Ok(Reading {
            loss,
            rank: rank::rank_of(logits, self.target_token)?,
            probability: (-loss).exp(),
            entropy: entropy::entropy(logits)?,
            top_k: top_k.into_iter().map(with_text).collect::<Result<_>>()?,
        })
    }

    fn compare(
        &self,
        layer: usize,
        logits: ArrayView1<'_, f64>,
        clean: &Reading,
        clean_logits: ArrayView1<'_, f64>,
    ) -> Result<LayerReading> {
        let Reading { loss, rank, probability, entropy, top_k } = self.read(logits)?;
        let pearson = match correlation::pearson(clean_logits, logits) {
            Ok(pearson) => Some(pearson),
            Err(Error::Analysis(AnalysisError::ZeroVariance { .. })) => None,
            Err(error) => return Err(error),
        };
        Ok(LayerReading {
            layer,
            loss,
            delta_loss: loss - clean.loss,
            rank,
            probability,
            entropy,
            pearson,
            mean_logit_shift: spread::mean_shift(clean_logits, logits)?,
            logit_std_ratio: spread::std_ratio(clean_logits, logits)?,
            top_k,
        })
    }
}
