//! Why a lens reads nothing.

use super::{Listed, shown_reason};
use crate::site::Site;

/// Why a lens reads nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LensError {
    /// A lens was pointed at a site where there is nothing for it to read.
    #[error("{site} cannot be read so, allowed: {allowed}")]
    Site {
        /// The site.
        site: Site,
        /// The sites that can.
        allowed: &'static str,
    },
    /// No site is to be read.
    #[error("no site is to be read, at least one is needed")]
    NoSites,
    /// Targets or answers that are not one for each sequence.
    #[error("{given} {what} for {needed} sequences, one for each is needed")]
    OneForEach {
        /// What there are too many or too few of.
        what: &'static str,
        /// How many were given.
        given: usize,
        /// The number of sequences.
        needed: usize,
    },
    /// Answers without a right one.
    #[error("sequence {sequence} has no right answer, at least one is needed")]
    NoRightAnswer {
        /// The sequence's index in the batch.
        sequence: usize,
    },
    /// Something was looked up that the lens was not asked to read.
    #[error("the lens did not read {what}, `{by}` asks for that")]
    NotAsked {
        /// What was looked up.
        what: &'static str,
        /// The method that asks for it.
        by: &'static str,
    },
    /// A part was looked up that is not among those that were read.
    #[error("`{given}` is not among the parts that were read: {parts}", parts = shown_reason(parts))]
    NoSuchPart {
        /// The part.
        given: String,
        /// Those that were read.
        parts: String,
    },
    /// Two runs were compared whose activations are of different shapes.
    #[error(
        "{site} of sequence {sequence} has the shape {changed}, and {clean} in the clean run: the same is needed",
        changed = Listed(changed), clean = Listed(clean)
    )]
    OtherShape {
        /// The site.
        site: Site,
        /// The sequence's index in the batch.
        sequence: usize,
        /// The shape in the clean run.
        clean: Vec<usize>,
        /// That in the other one.
        changed: Vec<usize>,
    },
    /// Two runs were compared that are read at different positions, such as the last ones of texts that are not equally
    /// long.
    #[error(
        "sequence {sequence} is read at positions {changed}, and at {clean} in the clean run: the same are needed",
        changed = Listed(changed), clean = Listed(clean)
    )]
    OtherPositions {
        /// The sequence's index in the batch.
        sequence: usize,
        /// The positions in the clean run.
        clean: Vec<usize>,
        /// Those in the other one.
        changed: Vec<usize>,
    },
    /// Two runs were compared that have not as many sequences.
    #[error(
        "a run of {changed} sequences cannot be compared with one of {clean}, as many are needed"
    )]
    OtherBatch {
        /// The sequences of the clean run.
        clean: usize,
        /// Those of the other one.
        changed: usize,
    },
    /// A null space of no directions, or of all.
    #[error("a null space of {given} directions, allowed: 1 to {last}", last = d_model.saturating_sub(1))]
    NullDirections {
        /// The directions asked for.
        given: usize,
        /// The width of the residual stream.
        d_model: usize,
    },
    /// A direction was asked of what has several vectors at a position, or none.
    #[error(
        "{capture} is not one vector at each position; allowed: all sites but attn_scores, pattern and the scales of layer norms, with `heads([h])` where they have heads"
    )]
    NotAVector {
        /// What was to be captured.
        capture: String,
    },
    /// Two sets of prompts whose activations have the same mean.
    #[error(
        "both sets of prompts have the same mean activation: there is no direction from one to the other"
    )]
    NoDirection,
    /// Two sets of prompts whose means are further apart than the model's numbers reach, or are no numbers.
    #[error("number {index} of the direction is {given:e}, allowed: {least:e} to {limit:e}", least = -limit)]
    DirectionOutOfRange {
        /// Which, from 0.
        index: usize,
        /// The difference of the means there.
        given: f64,
        /// The largest that is allowed.
        limit: f64,
    },
    /// Sets of pairs that are not equally large.
    #[error("pairs of {towards} prompts with {away_from}, as many are needed")]
    PairCount {
        /// Prompts of the first set.
        towards: usize,
        /// Prompts of the second.
        away_from: usize,
    },
    /// A pair of prompts with the same activation.
    #[error("both prompts of pair {pair} have the same activation: they differ in no direction")]
    EqualPair {
        /// Which, from 0.
        pair: usize,
    },
}
