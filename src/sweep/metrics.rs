//! The metrics that come with the crate.

use super::metric::{Metric, Scored};
use super::reading::Reading;
use super::target::Target;
use crate::analysis::{correlation, divergence, loss, rank};
use crate::error::{AnalysisError, Error, Result, SweepError};

/// Makes metrics of a target token from a name, a formula and its words.
macro_rules! target_metrics {
    ($($(#[doc = $doc:literal])* $metric:ident $name:literal $measure:expr;)*) => {
        $($(#[doc = $doc])*
        ///
        /// Of one position in each sequence, unless [said otherwise](Self::at_every_position).
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $metric(Target);

        impl $metric {
            /// Of one target token, whatever the sequence.
            pub fn of(target: u32) -> Self {
                Self(Target::shared(target))
            }

            /// Of a target token for each sequence.
            pub fn of_each(targets: impl Into<Vec<u32>>) -> Self {
                Self(Target::each(targets))
            }

            /// Of the same target at every scored position, which is refused otherwise where a sequence has
            /// several: that its own next tokens are scored is [`NextTokenLoss`].
            pub fn at_every_position(self) -> Self {
                Self(self.0.at_every_position())
            }
        }

        impl Metric for $metric {
            fn name(&self) -> &str {
                $name
            }

            fn check(&self, scored: &Scored<'_>) -> Result<()> {
                self.0.check($name, scored)
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
        let loss = loss::negative_log_likelihood(reading.logits, target)?;
        difference("delta_loss", target, loss, base)
    };
    /// `rank`: the 0-based rank of the target.
    Rank "rank" |reading, target| Ok(rank::rank_of(reading.logits, target)? as f64);
    /// `probability`: of the target.
    Probability "probability" |reading, target| {
        Ok((-loss::negative_log_likelihood(reading.logits, target)?).exp())
    };
}

/// One number less another, where that has a meaning; both are those of `token`, where one is.
pub(super) fn difference(
    statistic: &'static str,
    token: u32,
    given: f64,
    other: f64,
) -> Result<f64> {
    if given.is_infinite() && given == other {
        return Err(AnalysisError::BadValue { statistic, index: token as usize, given }.into());
    }
    Ok(given - other)
}

/// `next_token_loss`: the negative log-likelihood of the token that follows in the text, in nats: at all
/// positions, what a language model is trained on.
///
/// NaN at the last position of a sequence, which nothing follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextTokenLoss;

impl Metric for NextTokenLoss {
    fn name(&self) -> &str {
        "next_token_loss"
    }

    fn check(&self, scored: &Scored<'_>) -> Result<()> {
        let mut sequences = scored.sequences.iter().zip(scored.positions);
        let has_next = |(tokens, positions): (&Vec<u32>, &Vec<usize>)| {
            positions.iter().any(|position| position + 1 < tokens.len())
        };
        if sequences.any(has_next) {
            return Ok(());
        }
        Err(SweepError::NoNextToken { metric: self.name().to_owned() }.into())
    }

    fn measure(&self, reading: &Reading<'_>) -> Result<f64> {
        let loss = |next| loss::negative_log_likelihood(reading.logits, next);
        reading.next_token.map_or(Ok(f64::NAN), loss)
    }
}

/// `top_token_changed`: 1 where the most likely token is another one than the base's, 0 where it is the
/// same. Of equally likely ones, that with the lowest id counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopTokenChanged;

impl Metric for TopTokenChanged {
    fn name(&self) -> &str {
        "top_token_changed"
    }

    fn measure(&self, reading: &Reading<'_>) -> Result<f64> {
        let top = |logits| Ok::<_, Error>(rank::top_k(logits, 1)?[0].token);
        Ok(f64::from(top(reading.logits)? != top(reading.base)?))
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
