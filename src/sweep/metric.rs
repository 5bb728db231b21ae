//! What is measured of a variant's logits.

use ndarray::ArrayView1;

use crate::analysis::{correlation, divergence, loss, rank};
use crate::error::{Error, Result};

/// The logits of a variant at one position, beside those of its base.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Reading<'a> {
    /// `[d_vocab]`
    pub logits: ArrayView1<'a, f64>,
    /// The base's, `[d_vocab]`
    pub base: ArrayView1<'a, f64>,
    /// Index of the sequence in the batch.
    pub sequence: usize,
    /// The position in the sequence.
    pub position: usize,
}

/// One number of a reading.
pub trait Metric {
    /// The name under which the results have it.
    fn name(&self) -> &str;

    /// Measures.
    ///
    /// # Errors
    /// Whatever the metric cannot do; the sweep fails with it.
    fn measure(&self, reading: &Reading<'_>) -> Result<f64>;
}

/// A metric of one's own: a name and a closure.
pub struct Measure<F> {
    name: String,
    measure: F,
}

impl<F: Fn(&Reading<'_>) -> Result<f64>> Measure<F> {
    /// A metric that measures with `measure`.
    pub fn new(name: impl Into<String>, measure: F) -> Self {
        Self { name: name.into(), measure }
    }
}

impl<F: Fn(&Reading<'_>) -> Result<f64>> Metric for Measure<F> {
    fn name(&self) -> &str {
        &self.name
    }

    fn measure(&self, reading: &Reading<'_>) -> Result<f64> {
        (self.measure)(reading)
    }
}

/// The target token: one for all sequences, or one for each.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Shared(u32),
    Each(Vec<u32>),
}

impl Target {
    fn of(&self, sequence: usize) -> Result<u32> {
        match self {
            Target::Shared(token) => Ok(*token),
            Target::Each(tokens) => {
                let len = tokens.len();
                let no_such = Error::NoSuchSequence { given: sequence, len };
                tokens.get(sequence).copied().ok_or(no_such)
            }
        }
    }
}

/// Makes metrics of a target token from a name, a formula and its words.
macro_rules! target_metrics {
    ($($(#[doc = $doc:literal])* $metric:ident $name:literal $measure:expr;)*) => {
        $($(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $metric(Target);

        impl $metric {
            /// Of one target token, whatever the sequence.
            pub fn of(target: u32) -> Self {
                Self(Target::Shared(target))
            }

            /// Of a target token for each sequence.
            pub fn of_each(targets: impl Into<Vec<u32>>) -> Self {
                Self(Target::Each(targets.into()))
            }
        }

        impl Metric for $metric {
            fn name(&self) -> &str {
                $name
            }

            fn measure(&self, reading: &Reading<'_>) -> Result<f64> {
                let measure: fn(&Reading<'_>, u32) -> Result<f64> = $measure;
                measure(reading, self.0.of(reading.sequence)?)
            }
        })*
    };
}

target_metrics! {
    /// `loss`: the negative log-likelihood of the target, in nats.
    Loss "loss" |reading, target| loss::negative_log_likelihood(reading.logits, target);
    /// `delta_loss`: the loss less that of the base, in nats.
    DeltaLoss "delta_loss" |reading, target| {
        let base = loss::negative_log_likelihood(reading.base, target)?;
        Ok(loss::negative_log_likelihood(reading.logits, target)? - base)
    };
    /// `rank`: the 0-based rank of the target.
    Rank "rank" |reading, target| Ok(rank::rank_of(reading.logits, target)? as f64);
    /// `probability`: of the target.
    Probability "probability" |reading, target| {
        Ok((-loss::negative_log_likelihood(reading.logits, target)?).exp())
    };
}

/// `logit_difference`: the logit of one token less that of another (Wang et al., "Interpretability in
/// the Wild", 2022).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogitDifference {
    right: Target,
    wrong: Target,
}

impl LogitDifference {
    /// The logit of `right` less that of `wrong`.
    pub fn of(right: u32, wrong: u32) -> Self {
        Self { right: Target::Shared(right), wrong: Target::Shared(wrong) }
    }

    /// The same with a pair of tokens for each sequence.
    pub fn of_each(right: impl Into<Vec<u32>>, wrong: impl Into<Vec<u32>>) -> Self {
        Self { right: Target::Each(right.into()), wrong: Target::Each(wrong.into()) }
    }
}

impl Metric for LogitDifference {
    fn name(&self) -> &str {
        "logit_difference"
    }

    fn measure(&self, reading: &Reading<'_>) -> Result<f64> {
        let logit = |target: &Target| -> Result<f64> {
            let (given, d_vocab) = (target.of(reading.sequence)?, reading.logits.len());
            let logit = reading.logits.get(given as usize).copied();
            logit.ok_or(Error::TokenOutOfRange { given, d_vocab })
        };
        Ok(logit(&self.right)? - logit(&self.wrong)?)
    }
}

/// `pearson`: the correlation of all logits with those of the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PearsonToBase;

impl Metric for PearsonToBase {
    fn name(&self) -> &str {
        "pearson"
    }

    fn measure(&self, reading: &Reading<'_>) -> Result<f64> {
        correlation::pearson(reading.base, reading.logits)
    }
}

/// `kl_divergence`: of the base's distribution from the variant's, `KL(base ‖ variant)`, in nats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KlDivergence;

impl Metric for KlDivergence {
    fn name(&self) -> &str {
        "kl_divergence"
    }

    fn measure(&self, reading: &Reading<'_>) -> Result<f64> {
        divergence::kl_divergence(reading.base, reading.logits)
    }
}
