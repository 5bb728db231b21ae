//! Many variants of one run, each thing computed once.
//!
//! A variant differs from its base in its causal cone alone: in later blocks, at the same or later
//! positions. It forks off where it first differs, carries only the positions that may, and reads keys
//! and values of earlier ones from the base. Everything that goes through a block goes through it
//! together, in one pass over its weights. Of the last block, only what is read of the logits is computed.
//!
//! ```
//! use hooked_gpt2::hook::At;
//! use hooked_gpt2::intervention::Interventions;
//! use hooked_gpt2::sweep::{Axis, DeltaLoss, Metric, Sweep, Variants};
//! # use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, tch::Device};
//! # let checkpoint = Checkpoint::bundled()?;
//! # let (model, _) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
//! # let tokenizer = checkpoint.tokenizer()?;
//! let prompt = Batch::single(tokenizer.encode("She was a very happy")?)?;
//! let target = tokenizer.single_token(" woman")?;
//!
//! let (layers, heads) = (model.config().n_layers, model.config().n_heads);
//! let axes = [Axis::counting("layer", layers), Axis::counting("head", heads)];
//! let variants = Variants::over(axes, |index, _| {
//!     let mut hooks = Interventions::new();
//!     hooks.zero(At::z(index[0]).heads([index[1]]));
//!     Ok(hooks)
//! }, &prompt)?;
//!
//! let plan = Sweep::new(&model, &prompt).plan(&variants)?;
//! println!("{plan}");
//! let results = plan.measure(&[&DeltaLoss::of(target)])?;
//! let delta = results.values("delta_loss")?; // [layer, head, sequence, position]
//! assert_eq!(delta.shape(), [layers, heads, 1, 1]);
//! # Ok::<(), hooked_gpt2::Error>(())
//! ```

mod answers;
mod budget;
mod captured;
mod cone;
mod engine;
mod forking;
mod isolated;
mod means;
mod measure;
mod metric;
mod metrics;
mod places;
mod plan;
mod progress;
mod reading;
mod replacement;
mod results;
mod standard;
mod target;
mod variants;

pub use answers::{LogitDifference, ProbabilityDifference};
pub use metric::{Measure, Metric, Named, Scored};
pub use metrics::{
    DeltaLoss, KlDivergence, Loss, NextTokenLoss, PearsonToBase, Probability, Rank, TopTokenChanged,
};
pub use plan::Plan;
pub use progress::Progress;
pub use reading::Reading;
pub use replacement::Replacement;
pub use results::{MetricFailure, Results};
pub use variants::{Axis, Variants};

pub use crate::error::SweepError;

use crate::batch::Batch;
use crate::error::Result;
use crate::hook::{CaptureKey, CaptureSpec, HookRegistry, NoHooks, Positions, add_captures};
use crate::model::Gpt2;

/// A sweep to be: the bases, and where their logits are read.
pub struct Sweep<'a> {
    model: &'a Gpt2,
    batch: &'a Batch,
    base_hooks: &'a dyn HookRegistry,
    score: Positions,
    captures: Vec<CaptureSpec>,
    keeps_logits: bool,
    max_bytes: Option<usize>,
}

impl<'a> Sweep<'a> {
    /// A sweep over variants of each sequence of `batch`, read at the last position.
    pub fn new(model: &'a Gpt2, batch: &'a Batch) -> Self {
        let (base_hooks, score) = (&NoHooks, Positions::last());
        let (captures, keeps_logits) = (Vec::new(), false);
        Self { model, batch, base_hooks, score, captures, keeps_logits, max_bytes: None }
    }

    /// The model that runs.
    pub fn model(&self) -> &'a Gpt2 {
        self.model
    }

    /// The bases.
    pub fn batch(&self) -> &'a Batch {
        self.batch
    }

    /// Intervenes on the bases, and with that on all variants before their own hooks: a base corrupted
    /// by noise, for instance, that variants restore in part.
    pub fn base_hooks(mut self, hooks: &'a dyn HookRegistry) -> Self {
        self.base_hooks = hooks;
        self
    }

    /// Reads the logits at these positions of each sequence, the last one otherwise.
    pub fn score(mut self, positions: Positions) -> Self {
        self.score = positions;
        self
    }

    /// Keeps these activations of every variant and every base: bare [sites](crate::hook::Site), or
    /// [captures](crate::hook::Capture) that say more. [`Results::captured`] finds them.
    ///
    /// A variant carries all positions that are captured: captures at the last position cost least.
    pub fn capture(mut self, keys: impl IntoIterator<Item = impl CaptureKey>) -> Self {
        add_captures(&mut self.captures, keys);
        self
    }

    /// Keeps the logits of every variant and every base at the scored positions: [`Results::logits`] finds them.
    ///
    /// All of them at once may be large: 1000 variants of GPT-2 take 200 MB, which count towards
    /// [`max_bytes`](Self::max_bytes). [`Plan::read`] shows each as it comes, and keeps none.
    pub fn keep_logits(mut self) -> Self {
        self.keeps_logits = true;
        self
    }

    /// Splits the sweep into passes that need no more memory than this, besides the model but with all that
    /// is captured. Otherwise half of what the machine has free; 4 GiB on a GPU, whose memory libtorch does
    /// not tell of.
    pub fn max_bytes(mut self, max_bytes: usize) -> Self {
        self.max_bytes = Some(max_bytes);
        self
    }

    /// Plans the sweep: nothing is computed yet.
    ///
    /// # Errors
    /// [`HookRefused`](crate::error::HookError::Refused), whose reason says what does not fit, for a hook of a
    /// variant as the source of [`Variant`](crate::error::SweepError::Variant);
    /// [`CaptureRefused`](crate::error::CaptureError::Refused);
    /// [`PositionOutOfRange`](crate::error::SelectionError::PositionOutOfRange) for the scored positions;
    /// [`VariantSequences`](crate::error::SweepError::VariantSequences) and
    /// [`OtherTokens`](crate::error::SweepError::OtherTokens) for variants of another batch;
    /// [`BudgetTooSmall`](crate::error::SweepError::BudgetTooSmall).
    pub fn plan(mut self, variants: &'a Variants) -> Result<Plan<'a>> {
        if self.keeps_logits {
            add_captures(&mut self.captures, [results::logits_at(self.score.clone())]);
        }
        Plan::new(self, variants)
    }
}
