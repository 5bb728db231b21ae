//! What an experiment cannot be asked.

use super::Listed;

/// What an experiment cannot be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExperimentError {
    /// The layer to look at closely is none of those that are swept.
    #[error("the focus layer {given} is not among the swept layers {swept}", swept = Listed(swept))]
    FocusNotSwept {
        /// The focus layer.
        given: usize,
        /// The layers that are swept.
        swept: Vec<usize>,
    },
    /// A factor that leads out of the range of the numbers that the model computes in.
    #[error(
        "the factor {given:?} leads to logits that {dtype} cannot hold, one nearer to 1 is needed"
    )]
    FactorTooLarge {
        /// The factor.
        given: f64,
        /// The number format.
        dtype: String,
    },
    /// A sweep without layers.
    #[error("no layer to sweep, at least one is needed")]
    NoLayers,
}
