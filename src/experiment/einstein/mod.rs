//! The Einstein sweep: scale the residual stream leaving one layer after another, and watch one
//! word.
//!
//! GPT-2 Medium reads "I have no special talents. I am only passionately" and should go on with
//! " curious". What the sweep measures, and what each word of the three published findings asks of it,
//! is written down in [the guide](crate::guide::einstein_sweep).
//!
//! [`EinsteinSweep::run`] does all of it. Step by step, as in the example `einstein_sweep`: an
//! [`EinsteinSweep`] is put to a model as a [`Question`], [`Predictions`] collect what is read of the
//! logits, and an [`EinsteinReport`] concludes with a [`Finding`] for each published claim.

mod asked;
mod claims;
mod finding;
mod prediction;
mod question;
mod report;

pub use super::Verdict;
pub use asked::EinsteinSweep;
pub use finding::{Finding, Needed, Part, Reason};
pub use prediction::{LayerPrediction, Prediction, Predictions, TopToken, Watched};
pub use question::Question;
pub use report::{EinsteinReport, Environment, ModelSummary, SweepWork, Versions};
