//! What is asked.

use serde::Serialize;

use super::{EinsteinReport, Question, Watched};
use crate::data::Bos;
use crate::intervention::LayerScaling;
use crate::sweep::{Axis, Progress, Sweep, Variants};
use crate::{Gpt2, Result, Tokenizer};

/// The experiment. [`Default`] is the published one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EinsteinSweep {
    /// What the model reads.
    pub prompt: String,
    /// Whether `<|endoftext|>` stands before it.
    pub bos: Bos,
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
            bos: Bos::Omit,
            target: " curious".to_owned(),
            scale: 0.6,
            layers: None,
            focus_layer: None,
            top_k: 10,
        }
    }
}

impl EinsteinSweep {
    /// Runs the sweep; `name` is what the report calls the model, and `progress` is told how far it has
    /// come.
    ///
    /// # Errors
    /// Those of [`Question::new`] before anything is computed, and those of [`Question::explain`].
    pub fn run(
        &self,
        name: &str,
        model: &Gpt2,
        tokenizer: &Tokenizer,
        mut progress: impl FnMut(Progress),
    ) -> Result<EinsteinReport> {
        let question = Question::new(self, model, tokenizer)?;
        let (prompt, layers) = (&question.prompt, &question.layers);
        let dictionary = |index: &[usize], _| {
            let mut factors = LayerScaling::new();
            factors.insert(layers[index[0]], self.scale)?;
            Ok(factors)
        };
        let variants = Variants::over([Axis::new("layer", layers)], dictionary, prompt)?;
        let plan = Sweep::new(model, prompt).plan(&variants)?;
        let mut predictions = question.predictions();
        let read = plan.read_with_progress(
            |run| predictions.take(run, Watched::of(run, question.target)?),
            |done| {
                progress(done);
                true
            },
        );
        read.map_err(|error| question.explain(error))?;
        predictions.conclude(name, &plan)
    }
}
