//! Text from the model, token by token.

use ndarray::Array1;

use super::Gpt2;
use super::cache::Cache;
use super::pass::Pass;
use super::sampling::Sampling;
use super::scored::Scored;
use crate::analysis::loss::log_softmax;
use crate::analysis::rank::{RankedToken, top_k};
use crate::batch::Batch;
use crate::dispatch::{Activations, Dispatcher, Intent, Ledger, Registries, Work};
use crate::error::{AnalysisError, BatchError, Result, RunError};
use crate::grad_mode::without_gradients;
use crate::hook::{CaptureKey, CaptureSpec, HookRegistry, Positions, add_captures};
use crate::layout::{Segment, SegmentId, Segments};
use crate::scalar::numbers;

/// A continuation to be: how many tokens, how they are chosen, what to change on the way.
///
/// Made by [`Gpt2::generate`]; nothing happens before [`execute`](Self::execute).
///
/// Hooks stand at absolute positions, counted from the beginning of the prompt: a hook at all positions
/// edits prompt and continuation, [`Positions::starting_at`] the length of the prompt the continuation
/// alone, and what is counted from the end is counted from the end of the prompt. Keys and values of
/// earlier positions are kept as their hooks left them, so that each position is computed once, and the
/// tokens are those that a run over the whole text would give at every step.
#[must_use = "nothing is generated before `execute`"]
pub struct Generation<'a> {
    model: &'a Gpt2,
    prompts: &'a Batch,
    max_new_tokens: usize,
    registries: Registries<'a>,
    sampling: Sampling,
    stop_token: Option<u32>,
    captures: Vec<CaptureSpec>,
    kept_top: Option<usize>,
}

/// What a generation gives back.
#[derive(Debug)]
#[non_exhaustive]
pub struct Generated {
    /// The new tokens of each sequence, the stop token included.
    pub tokens: Vec<Vec<u32>>,
    /// The log-probability of each of them, in nats: what the model gives it, with hooks and before any temperature.
    pub log_probs: Vec<Vec<f64>>,
    /// The most likely tokens in the place of each new one, if they were [asked for](Generation::keep_top).
    pub top: Vec<Vec<Vec<RankedToken>>>,
    /// The activations that were asked for.
    pub activations: Activations,
    /// What each hook did, over all steps.
    pub ledger: Ledger,
    /// What was computed.
    pub work: Work,
}

impl<'a> Generation<'a> {
    pub(super) fn new(model: &'a Gpt2, prompts: &'a Batch, max_new_tokens: usize) -> Self {
        Self {
            model,
            prompts,
            max_new_tokens,
            registries: Registries::NONE,
            sampling: Sampling::greedy(),
            stop_token: None,
            captures: Vec::new(),
            kept_top: None,
        }
    }

    /// Intervenes with `hooks`, on every sequence that they select.
    pub fn hooks(mut self, hooks: &'a dyn HookRegistry) -> Self {
        self.registries.shared = hooks;
        self
    }

    /// Intervenes on each sequence with a registry of its own, as
    /// [`Run::hooks_for_each`](crate::Run::hooks_for_each) does.
    pub fn hooks_for_each(mut self, hooks: &'a [&'a dyn HookRegistry]) -> Self {
        self.registries.each = Some(hooks);
        self
    }

    /// Chooses tokens by `sampling`; the most likely one each time otherwise.
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.sampling = sampling;
        self
    }

    /// Ends a sequence with the first `token` that it is continued by.
    pub fn stop_token(mut self, token: u32) -> Self {
        self.stop_token = Some(token);
        self
    }

    /// Keeps these activations of every position that is computed, of prompts and new tokens, as one run over the
    /// whole text would: all but the last token of the text, which is chosen and not computed.
    ///
    /// Positions of a [`Capture`](crate::hook::Capture) are absolute like those of hooks: what is counted from the end is
    /// counted from the end of the prompt. Of attention there are as many keys as there are positions up to the last
    /// captured one.
    ///
    /// ```
    /// # use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, hook::Site, tch::Device};
    /// # let checkpoint = Checkpoint::bundled()?;
    /// # let (model, _) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
    /// let prompt = Batch::single(checkpoint.tokenizer()?.encode("It was the best of")?)?;
    /// let generated = model.generate(&prompt, 8).capture([Site::resid_post(5)]).execute()?;
    /// let residual = generated.activations.get(Site::resid_post(5), 0)?; // [pos, d_model]
    /// assert_eq!(residual.size()[0], 5 + 8 - 1);
    /// # Ok::<(), hooked_gpt2::Error>(())
    /// ```
    pub fn capture(mut self, keys: impl IntoIterator<Item = impl CaptureKey>) -> Self {
        add_captures(&mut self.captures, keys);
        self
    }

    /// Keeps the `k` most likely tokens in the place of each new one, with their log-probabilities.
    pub fn keep_top(mut self, k: usize) -> Self {
        self.kept_top = Some(k);
        self
    }

    /// Generates.
    ///
    /// # Errors
    /// Those of [`Run::execute`](crate::Run::execute), hooks being checked against every step before the
    /// first; [`NoNewTokens`](crate::error::RunError::NoNewTokens), [`ContinuationTooLong`](crate::error::RunError::ContinuationTooLong),
    /// [`TopKOutOfRange`](crate::error::AnalysisError::TopKOutOfRange), [`Refused`](crate::error::CaptureError::Refused) for captures, and [`MixesPositions`](crate::error::HookError::MixesPositions) for
    /// hooks whose result at one position depends on others.
    pub fn execute(self) -> Result<Generated> {
        let layouts = self.layouts()?;
        let config = &self.model.config;
        self.sampling.check(config.d_vocab)?;
        if let Some(given) = self.stop_token.filter(|&token| token as usize >= config.d_vocab) {
            return Err(BatchError::TokenOutOfRange { given, d_vocab: config.d_vocab }.into());
        }
        if let Some(given) = self.kept_top.filter(|k| !(1..=config.d_vocab).contains(k)) {
            return Err(AnalysisError::TopKOutOfRange { given, allowed: config.d_vocab }.into());
        }
        let captures = self.captures.clone();
        let intent = Intent { in_steps: true, captures, ..Intent::of(self.registries) };
        let form = (self.model.precision.kind(), self.model.device);
        let mut dispatcher = Dispatcher::new(config, &layouts, intent, form)?;
        let new = without_gradients(|| self.steps(&layouts, &mut dispatcher))?;
        let (ledger, activations, work) = dispatcher.finish()?;
        let NewTokens { tokens, log_probs, top } = new;
        Ok(Generated { tokens, log_probs, top, activations, ledger, work })
    }

    /// What each step computes: first the prompts, then one position after the other. The last token
    /// is chosen and not computed any more.
    fn layouts(&self) -> Result<Vec<Segments>> {
        self.prompts.check(&self.model.config)?;
        let Some(further) = self.max_new_tokens.checked_sub(1) else {
            return Err(RunError::NoNewTokens.into());
        };
        let n_ctx = self.model.config.n_ctx;
        for (sequence, prompt) in self.prompts.sequences().iter().enumerate() {
            if further > n_ctx.saturating_sub(prompt.len()) {
                let (prompt, new) = (prompt.len(), self.max_new_tokens);
                return Err(RunError::ContinuationTooLong { sequence, prompt, new, n_ctx }.into());
            }
        }
        let prompts = Segments::reaching(self.prompts, further);
        let steps = std::iter::successors(Some(prompts), |before| Some(before.next()));
        Ok(steps.take(self.max_new_tokens).collect())
    }

    fn steps(&self, layouts: &[Segments], hooks: &mut Dispatcher<'_>) -> Result<NewTokens> {
        let mut cache = Cache::new(self.model.config.n_layers);
        let mut sequences = self.prompts.sequences().to_vec();
        let mut is_done = vec![false; sequences.len()];
        let mut new = NewTokens::of(sequences.len());
        for layout in layouts {
            let (segments, _) = layout.only(|SegmentId(sequence)| !is_done[sequence]);
            if segments.rows == 0 {
                break;
            }
            let scored = Scored::new(&segments, Some(&Positions::last()))?;
            let mut pass =
                Pass { segments: &segments, hooks, cache: Some(&mut cache), layouts: None };
            let logits = match self.model.forward(&sequences, &scored, &mut pass) {
                Ok(logits) => {
                    scored.check_numbers(&logits)?;
                    logits
                }
                Err(interrupt) => {
                    interrupt.of_run()?;
                    break;
                }
            };
            for (row, (segment, _)) in segments.by_row().enumerate() {
                let &Segment { sequence, example, .. } = segment;
                let of_row = Array1::from(numbers(&logits.f_get(row as i64)?)?);
                let token = self.sampling.choose(of_row.view(), example, segment.span.end)?;
                new.tokens[sequence].push(token);
                new.log_probs[sequence].push(log_softmax(of_row.view())?[token as usize]);
                if let Some(k) = self.kept_top {
                    new.top[sequence].push(top_k(of_row.view(), k)?);
                }
                sequences[sequence].push(token);
                is_done[sequence] = self.stop_token == Some(token);
            }
            cache.retain(|SegmentId(sequence)| !is_done[sequence])?;
        }
        Ok(new)
    }
}

/// What is known of the new tokens of each sequence.
struct NewTokens {
    tokens: Vec<Vec<u32>>,
    log_probs: Vec<Vec<f64>>,
    top: Vec<Vec<Vec<RankedToken>>>,
}

impl NewTokens {
    fn of(n_sequences: usize) -> Self {
        let (tokens, log_probs) = (vec![Vec::new(); n_sequences], vec![Vec::new(); n_sequences]);
        Self { tokens, log_probs, top: vec![Vec::new(); n_sequences] }
    }
}
