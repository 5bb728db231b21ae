//! Why a run or a generation is refused, or cannot go on.

use super::Listed;
use crate::site::Site;

/// Why a run or a generation is refused, or cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A run has nothing to give back.
    #[error("the run computes no logits and captures nothing")]
    NothingAsked,
    /// Logits were asked for, of a run that stops before them.
    #[error(
        "logits at positions {positions} were asked for, and the run stops after {last}, before there are any"
    )]
    StopsBeforeLogits {
        /// Where they were asked for.
        positions: String,
        /// The last site that the run passes.
        last: Site,
    },
    /// The number of residual streams to resume from is not that of the sequences.
    #[error("{given} residual streams for {needed} sequences, one for each is needed")]
    ResidualCount {
        /// The number given.
        given: usize,
        /// The number of sequences.
        needed: usize,
    },
    /// The residual stream to resume from does not fit the sequence.
    #[error("sequence {sequence}: its residual stream is {given}, needed: {needed}")]
    ResidualForm {
        /// The sequence's index in the batch.
        sequence: usize,
        /// Shape, kind and device of what was given.
        given: String,
        /// Those that fit.
        needed: String,
    },
    /// Logits of NaN: of weights that have one, or of an edit that left the range of the number format.
    #[error(
        "the logits are NaN at position {position} of sequence {sequence}; `check_finite` names the first site that is not finite"
    )]
    NotANumber {
        /// The sequence's index in the batch.
        sequence: usize,
        /// The first such position.
        position: usize,
    },
    /// A residual stream to unembed does not fit the model.
    #[error("the residual stream to unembed is {given}, needed: {needed}")]
    UnembeddedForm {
        /// Shape, kind and device of what was given.
        given: String,
        /// Those that fit.
        needed: String,
    },
    /// A run whose last site comes before its first.
    #[error("the run begins at {first} and stops after {last}, which is earlier")]
    Backwards {
        /// Where it begins.
        first: Site,
        /// Where it stops.
        last: Site,
    },
    /// NaN or an infinity, at the first site where a run that looked for it found one.
    #[error("{site} is not finite at position {position} of sequence {sequence}")]
    NonFiniteAt {
        /// The site.
        site: Site,
        /// The sequence's index in the batch.
        sequence: usize,
        /// The first such position.
        position: usize,
    },
    /// Logits were compared with those of other sequences or positions.
    #[error("the logits are of other sequences or other positions, the same are needed")]
    OtherLogits,
    /// Logits were looked up at a position that was not unembedded.
    #[error(
        "position {given} of sequence {sequence} was not unembedded, unembedded: {unembedded}",
        unembedded = Listed(unembedded)
    )]
    NotUnembedded {
        /// The position.
        given: usize,
        /// The sequence's index in the batch.
        sequence: usize,
        /// The positions that were.
        unembedded: Vec<usize>,
    },
    /// Something other than one number was to be differentiated.
    #[error(
        "a tensor of shape {given} cannot be differentiated, one number is needed",
        given = Listed(given)
    )]
    NotAScalar {
        /// Its shape.
        given: Vec<i64>,
    },
    /// A number was to be differentiated that is no real one.
    #[error("a number of kind {given} cannot be differentiated, one of floating point is needed")]
    NotReal {
        /// Its kind.
        given: String,
    },
    /// A number was to be differentiated that does not depend on the logits or activations as they were given.
    #[error(
        "the number to differentiate was computed neither from the logits nor from captured activations, or was detached on the way"
    )]
    Detached,
    /// No token was to be generated.
    #[error("no token is to be generated, at least one is needed")]
    NoNewTokens,
    /// A prompt and its continuation are longer than the model's context.
    #[error(
        "sequence {sequence}: a prompt of {prompt} tokens and {new} new ones do not fit the model's \
         context, which computes {n_ctx}"
    )]
    ContinuationTooLong {
        /// The sequence's index in the batch.
        sequence: usize,
        /// Tokens of the prompt.
        prompt: usize,
        /// Tokens to be generated.
        new: usize,
        /// The length of the model's context.
        n_ctx: usize,
    },
    /// A temperature that nothing can be drawn with.
    #[error("the temperature is {given}, a finite number above 0 is needed")]
    Temperature {
        /// The temperature.
        given: f64,
    },
    /// No token has a probability.
    #[error("no token can be drawn at position {position}: the logits give none a probability")]
    NothingToDraw {
        /// The position of the token to be drawn.
        position: usize,
    },
}
