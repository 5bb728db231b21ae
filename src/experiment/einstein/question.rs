//! A sweep put to a model.

use super::{EinsteinSweep, Predictions, claims};
use crate::error::{
    AnalysisError, Error, ExperimentError, Result, RunError, SelectionError, SweepError,
};
use crate::{Batch, Gpt2, Tokenizer};

/// A sweep put to a model: its words in tokens, its layers in numbers.
pub struct Question<'a> {
    /// What the model reads: one sequence.
    pub prompt: Batch,
    /// The token to watch.
    pub target: u32,
    /// The layers to scale, in order, each once.
    pub layers: Vec<usize>,
    /// The layer to look at closely, one of `layers`.
    pub focus_layer: usize,
    pub(super) asked: &'a EinsteinSweep,
    pub(super) model: &'a Gpt2,
    pub(super) tokenizer: &'a Tokenizer,
}

impl<'a> Question<'a> {
    /// Puts a sweep to a model. Nothing is computed.
    ///
    /// # Errors
    /// [`EmptySequence`](crate::error::BatchError::EmptySequence) for an empty prompt, those of
    /// [`Bos::encode`](crate::data::Bos::encode),
    /// [`NotOneToken`](crate::error::TokenizerError::NotOneToken) for the target,
    /// [`SelectionError::LayerOutOfRange`], [`ExperimentError::NoLayers`],
    /// [`ExperimentError::FocusNotSwept`], [`AnalysisError::TopKOutOfRange`]. A prompt that is too long, and a
    /// factor that is no number, are found by the plan.
    pub fn new(
        asked: &'a EinsteinSweep,
        model: &'a Gpt2,
        tokenizer: &'a Tokenizer,
    ) -> Result<Self> {
        let prompt = Batch::single(asked.bos.encode(&asked.prompt, tokenizer)?)?;
        let target = tokenizer.single_token(&asked.target)?;
        let (n_layers, d_vocab) = (model.config().n_layers, model.config().d_vocab);
        let layers = swept(asked, n_layers)?;
        let focus_layer = focus(asked, &layers, n_layers)?;
        if asked.top_k == 0 || asked.top_k > d_vocab {
            let (given, allowed) = (asked.top_k, d_vocab);
            return Err(AnalysisError::TopKOutOfRange { given, allowed }.into());
        }
        Ok(Self { prompt, target, layers, focus_layer, asked, model, tokenizer })
    }

    /// Collects what is read.
    pub fn predictions(&self) -> Predictions<'_> {
        Predictions::new(self)
    }

    /// Says of logits that are no numbers what made them so: weights that are none, with their place
    /// ([`RunError::NonFiniteAt`]), or else the factor ([`ExperimentError::FactorTooLarge`]). Other errors are
    /// left as they are.
    pub fn explain(&self, error: Error) -> Error {
        let (variant, error) = match error {
            Error::Sweep(SweepError::Variant { variant, source }) => (Some(variant), *source),
            error => (None, error),
        };
        let error = match error {
            Error::Run(RunError::NotANumber { .. })
            | Error::Analysis(AnalysisError::BadValue { .. }) => self.what_is_not_finite(),
            error => error,
        };
        match variant {
            // Weights that are no numbers are in every run.
            Some(variant) if !matches!(error, Error::Run(RunError::NonFiniteAt { .. })) => {
                SweepError::Variant { variant, source: Box::new(error) }.into()
            }
            _ => error,
        }
    }

    fn what_is_not_finite(&self) -> Error {
        let (given, dtype) = (self.asked.scale, self.model.precision().to_string());
        let clean = self.model.run(&self.prompt).check_finite().execute();
        clean.err().unwrap_or(ExperimentError::FactorTooLarge { given, dtype }.into())
    }
}

/// The layers asked for, in order, each once.
fn swept(asked: &EinsteinSweep, n_layers: usize) -> Result<Vec<usize>> {
    let Some(mut layers) = asked.layers.clone() else { return Ok((0..n_layers).collect()) };
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

fn focus(asked: &EinsteinSweep, layers: &[usize], n_layers: usize) -> Result<usize> {
    match asked.focus_layer {
        Some(given) if given >= n_layers => {
            Err(SelectionError::LayerOutOfRange { given, n_layers }.into())
        }
        Some(given) if !layers.contains(&given) => {
            Err(ExperimentError::FocusNotSwept { given, swept: layers.to_vec() }.into())
        }
        Some(given) => Ok(given),
        None => {
            let nearest = layers.iter().min_by_key(|layer| layer.abs_diff(claims::LAYER));
            nearest.copied().ok_or(ExperimentError::NoLayers.into())
        }
    }
}
