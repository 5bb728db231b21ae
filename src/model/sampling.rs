//! How the next token is chosen.

use ndarray::{Array1, ArrayView1};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::Distribution;
use rand_distr::weighted::WeightedIndex;

use crate::analysis::rank::top_k;
use crate::error::{AnalysisError, Result, RunError};

/// How the next token is chosen from the logits.
///
/// What is drawn depends on the seed, the example's number and the position, and on nothing else, so
/// that an example is continued in the same way whatever it is [batched] with.
///
/// [batched]: crate::Batch::with_examples
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling(Choice);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Choice {
    Greedy,
    Drawn { temperature: f64, top_k: Option<usize>, seed: u64 },
}

impl Sampling {
    /// The most likely token; of equal ones that with the lowest id.
    pub const fn greedy() -> Self {
        Self(Choice::Greedy)
    }

    /// A token drawn with the probabilities `softmax(logits / temperature)`.
    ///
    /// # Errors
    /// [`RunError::Temperature`] unless the temperature is above 0 and finite.
    pub fn seeded(temperature: f64, seed: u64) -> Result<Self> {
        Self::drawn(temperature, None, seed)
    }

    /// A token drawn in the same way from the `k` most likely ones alone.
    ///
    /// # Errors
    /// [`RunError::Temperature`]. Whether there are `k` tokens is checked before the first step.
    pub fn seeded_top_k(k: usize, temperature: f64, seed: u64) -> Result<Self> {
        Self::drawn(temperature, Some(k), seed)
    }

    fn drawn(temperature: f64, top_k: Option<usize>, seed: u64) -> Result<Self> {
        if temperature.is_finite() && temperature > 0.0 {
            Ok(Self(Choice::Drawn { temperature, top_k, seed }))
        } else {
            Err(RunError::Temperature { given: temperature }.into())
        }
    }

    /// Checks that there are as many tokens as are to be drawn from.
    pub(super) fn check(self, d_vocab: usize) -> Result<()> {
        match self.0 {
            Choice::Drawn { top_k: Some(given), .. } if given == 0 || given > d_vocab => {
                Err(AnalysisError::TopKOutOfRange { given, allowed: d_vocab }.into())
            }
            _ => Ok(()),
        }
    }

    /// The token that follows, at `position`.
    ///
    /// # Shapes
    /// - logits: `[d_vocab]`
    pub(super) fn choose(
        self,
        logits: ArrayView1<'_, f64>,
        example: u64,
        position: usize,
    ) -> Result<u32> {
        // A logit of negative infinity bans its token.
        let is_allowed = |&(_, logit): &(u32, f64)| logit != f64::NEG_INFINITY;
        let allowed = (0..).zip(logits.iter().copied()).filter(is_allowed);
        let (tokens, logits): (Vec<u32>, Vec<f64>) = allowed.unzip();
        if tokens.is_empty() || logits.contains(&f64::INFINITY) {
            return Err(RunError::NothingToDraw { position }.into());
        }
        let logits = Array1::from(logits);
        let Choice::Drawn { temperature, top_k: k, seed } = self.0 else {
            return Ok(tokens[top_k(logits.view(), 1)?[0].token as usize]);
        };
        let mut scaled = &logits / temperature;
        if !scaled.iter().all(|logit| logit.is_finite()) {
            // A minute temperature leads out of the range of an f64, and leaves what is most likely.
            let most = logits.fold(f64::NEG_INFINITY, |most, &logit| most.max(logit));
            scaled = (logits - most) / temperature;
        }
        let logits = scaled;
        let k = k.unwrap_or(logits.len()).min(logits.len());
        let likely = top_k(logits.view(), k)?;
        let weights = likely.iter().map(|ranked| ranked.log_prob.exp());
        let weights =
            WeightedIndex::new(weights).map_err(|_| RunError::NothingToDraw { position })?;
        let drawn = weights.sample(&mut generator(seed, example, position));
        Ok(tokens[likely[drawn].token as usize])
    }
}

/// The generator of one position of one example, a function of its arguments alone.
fn generator(seed: u64, example: u64, position: usize) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&example.to_le_bytes());
    // No site: sampling and noise of one seed do not share their numbers.
    key[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
    key[24..32].copy_from_slice(&(position as u64).to_le_bytes());
    ChaCha8Rng::from_seed(key)
}
