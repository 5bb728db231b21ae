//! What is read of the logits.

use ndarray::{Array1, ArrayView1};
use serde::Serialize;

use super::{EinsteinReport, Question};
use crate::analysis::{correlation, entropy, loss, rank, spread};
use crate::error::{AnalysisError, Error, Result};
use crate::sweep::{Plan, Reading};

/// The three numbers that a run is watched by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Watched {
    /// Negative log-likelihood of the target, in nats.
    pub loss: f64,
    /// Rank of the target; 0 for the most likely token.
    pub rank: usize,
    /// Pearson correlation with the clean logits; `None` if all logits are equal.
    pub pearson: Option<f64>,
}

impl Watched {
    /// Those of a run.
    ///
    /// # Errors
    /// [`AnalysisError::BadValue`] unless all logits are finite,
    /// [`TokenOutOfRange`](crate::error::BatchError::TokenOutOfRange).
    pub fn of(run: &Reading<'_>, target: u32) -> Result<Self> {
        let pearson = match correlation::pearson(run.base, run.logits) {
            Ok(pearson) => Some(pearson),
            Err(Error::Analysis(AnalysisError::ZeroVariance { .. })) => None,
            Err(error) => return Err(error),
        };
        Ok(Self {
            loss: loss::negative_log_likelihood(run.logits, target)?,
            rank: rank::rank_of(run.logits, target)?,
            pearson,
        })
    }
}

/// What one run predicts.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Prediction {
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

/// What a run with one layer scaled predicts, against the clean one.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LayerPrediction {
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
    /// Share of the vocabulary whose logit came nearer to zero.
    pub share_shrunk: f64,
    /// The largest change of a logit.
    pub largest_logit_change: f64,
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

/// Collects what is read of the clean run and of each layer's.
pub struct Predictions<'a> {
    pub(super) question: &'a Question<'a>,
    /// The clean run, and its logits.
    pub(super) clean: Option<(Prediction, Array1<f64>)>,
    pub(super) layers: Vec<LayerPrediction>,
    pub(super) focus_logits: Option<Array1<f64>>,
}

impl<'a> Predictions<'a> {
    pub(super) fn new(question: &'a Question<'a>) -> Self {
        Self { question, clean: None, layers: Vec::new(), focus_logits: None }
    }

    /// Takes a run, the clean one or a layer's, with what it is watched by.
    ///
    /// # Errors
    /// [`AnalysisError::BadValue`] unless all logits are finite.
    pub fn take(&mut self, run: &Reading<'_>, watched: Watched) -> Result<()> {
        let Some(index) = run.index else {
            // The same in each pass of a plan.
            if self.clean.is_none() {
                let prediction = self.question.predict(run.logits, watched)?;
                self.clean = Some((prediction, run.logits.to_owned()));
            }
            return Ok(());
        };
        let layer = self.question.layers[index[0]];
        let Prediction { loss, rank, probability, entropy, top_k } =
            self.question.predict(run.logits, watched)?;
        self.layers.push(LayerPrediction {
            layer,
            loss,
            delta_loss: loss - loss::negative_log_likelihood(run.base, self.question.target)?,
            rank,
            probability,
            entropy,
            pearson: watched.pearson,
            mean_logit_shift: spread::mean_shift(run.base, run.logits)?,
            logit_std_ratio: spread::std_ratio(run.base, run.logits)?,
            share_shrunk: spread::share_shrunk(run.base, run.logits)?,
            largest_logit_change: largest_change(run.base, run.logits),
            top_k,
        });
        if layer == self.question.focus_layer {
            self.focus_logits = Some(run.logits.to_owned());
        }
        Ok(())
    }

    /// Concludes: the report, with the published findings tested. `name` is what it calls the model.
    ///
    /// # Errors
    /// [`NoLayers`](crate::error::ExperimentError::NoLayers) unless the clean run and the focus layer's were taken.
    pub fn conclude(self, name: &str, plan: &Plan<'_>) -> Result<EinsteinReport> {
        EinsteinReport::new(name, self, plan)
    }
}

impl Question<'_> {
    fn predict(&self, logits: ArrayView1<'_, f64>, watched: Watched) -> Result<Prediction> {
        let top_k = rank::top_k(logits, self.asked.top_k)?;
        let with_text = |ranked: rank::RankedToken| {
            Ok(TopToken {
                token: ranked.token,
                text: self.tokenizer.decode(&[ranked.token])?,
                logit: ranked.logit,
                log_prob: ranked.log_prob,
            })
        };
        Ok(Prediction {
            loss: watched.loss,
            rank: watched.rank,
            probability: (-watched.loss).exp(),
            entropy: entropy::entropy(logits)?,
            top_k: top_k.into_iter().map(with_text).collect::<Result<_>>()?,
        })
    }
}

fn largest_change(clean: ArrayView1<'_, f64>, scaled: ArrayView1<'_, f64>) -> f64 {
    let changes = clean.iter().zip(scaled).map(|(clean, scaled)| (scaled - clean).abs());
    changes.fold(0.0, f64::max)
}
