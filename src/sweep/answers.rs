//! Right answers against wrong ones.

use super::metric::{Metric, Scored};
use super::metrics::difference;
use super::reading::Reading;
use super::target::Target;
use crate::analysis::loss::log_softmax;
use crate::error::{Error, Result};

/// Makes metrics of right and wrong answers from a name, a formula and its words.
macro_rules! answer_metrics {
    ($($(#[doc = $doc:literal])* $metric:ident $name:literal $measure:expr;)*) => {
        $($(#[doc = $doc])*
        ///
        /// Of one position in each sequence, unless [said otherwise](Self::at_every_position).
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $metric {
            right: Target,
            wrong: Target,
        }

        impl $metric {
            /// Of a right token and a wrong one, whatever the sequence.
            pub fn of(right: u32, wrong: u32) -> Self {
                Self { right: Target::shared(right), wrong: Target::shared(wrong) }
            }

            /// Of a right and a wrong token for each sequence.
            pub fn of_each(right: impl Into<Vec<u32>>, wrong: impl Into<Vec<u32>>) -> Self {
                Self { right: Target::each(right), wrong: Target::each(wrong) }
            }

            /// Of several right and wrong tokens for each sequence, as [`Prompts`](crate::data::Prompts) have them.
            pub fn of_answers(right: impl Into<Vec<Vec<u32>>>, wrong: impl Into<Vec<Vec<u32>>>) -> Self {
                Self { right: Target::several(right), wrong: Target::several(wrong) }
            }

            /// Of the same tokens at every scored position, which is refused otherwise where a sequence has several.
            pub fn at_every_position(self) -> Self {
                let [right, wrong] = [self.right, self.wrong].map(Target::at_every_position);
                Self { right, wrong }
            }
        }

        impl Metric for $metric {
            fn name(&self) -> &str {
                $name
            }

            fn check(&self, scored: &Scored<'_>) -> Result<()> {
                self.right.check($name, scored)?;
                self.wrong.check($name, scored)
            }

            fn measure(&self, reading: &Reading<'_>) -> Result<f64> {
                let answers = [&self.right, &self.wrong].map(|target| target.tokens_of(reading.sequence));
                let [right, wrong] = answers;
                let measure: fn(&Reading<'_>, &[u32], &[u32]) -> Result<f64> = $measure;
                measure(reading, right?, wrong?)
            }
        })*
    };
}

answer_metrics! {
    /// `logit_difference`: the logit of a right answer less that of a wrong one (Wang et al. 2022); of several, the
    /// means of their logits.
    LogitDifference "logit_difference" |reading, right, wrong| {
        let mean = |tokens: &[u32]| -> Result<f64> {
            let logits = tokens.iter().map(|&token| {
                let logit = reading.logits.get(token as usize).copied();
                logit.ok_or_else(|| Error::Bug(format!("token {token} was not checked")))
            });
            Ok(logits.sum::<Result<f64>>()? / tokens.len() as f64)
        };
        let first = right.first().copied().unwrap_or_default();
        difference("logit_difference", first, mean(right)?, mean(wrong)?)
    };
    /// `probability_difference`: the probability of all right answers together less that of all wrong ones (Hanna et
    /// al. 2023), from -1 to 1.
    ProbabilityDifference "probability_difference" |reading, right, wrong| {
        let log_probs = log_softmax(reading.logits)?;
        let sum = |tokens: &[u32]| -> Result<f64> {
            let probabilities = tokens.iter().map(|&token| {
                let log_prob = log_probs.get(token as usize).copied();
                let checked = || Error::Bug(format!("token {token} was not checked"));
                Ok(log_prob.ok_or_else(checked)?.exp())
            });
            probabilities.sum()
        };
        Ok(sum(right)? - sum(wrong)?)
    };
}
