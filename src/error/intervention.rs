//! What is wrong with an edit by itself, or with a file of edits.

use std::path::PathBuf;

use super::{Error, Listed, shown, shown_path, shown_reason};
use crate::site::Site;

/// What is wrong with an edit by itself, or with a file of edits.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InterventionError {
    /// A factor that is not a finite number.
    #[error("{what} is {given}, a finite number is needed")]
    NotFinite {
        /// What the number is for.
        what: &'static str,
        /// The number.
        given: f64,
    },
    /// A number that is not finite in the number format of the run.
    #[error("{what} is {given:e}, allowed in this number format: up to {largest:e}")]
    OutOfRange {
        /// What the number is for.
        what: &'static str,
        /// The number.
        given: f64,
        /// The largest magnitude allowed.
        largest: f64,
    },
    /// An amount of noise below zero.
    #[error("{what} is {given}, allowed: 0 or more")]
    NegativeAmount {
        /// What the number is for.
        what: &'static str,
        /// The number.
        given: f64,
    },
    /// A tensor that is to replace or change activations does not fit them.
    #[error("its tensor is {given}, it must repeat into {needed}")]
    Replacement {
        /// Shape, kind and device of the tensor.
        given: String,
        /// Shape, kind and device of what is selected.
        needed: String,
    },
    /// What should be directions, and has another shape or another kind.
    #[error(
        "directions are needed, [width] or [directions, width] of floating-point numbers, given: {given}"
    )]
    Directions {
        /// Shape, kind and device of what was given.
        given: String,
    },
    /// A direction of zeros.
    #[error("direction {row} is zero")]
    ZeroDirection {
        /// Which, from 0.
        row: usize,
    },
    /// A direction with a number that is NaN or infinite.
    #[error("direction {row} is not finite")]
    NonFiniteDirection {
        /// Which, from 0.
        row: usize,
    },
    /// A direction that spans nothing that those before it do not span.
    #[error(
        "direction {row} is a combination of those before it, up to roundings; allowed: linearly independent ones"
    )]
    DependentDirection {
        /// Which, from 0.
        row: usize,
    },
    /// Directions of another space than what is selected.
    #[error("its directions have {given} numbers, a vector of what is selected has {needed}")]
    DirectionWidth {
        /// The length of the directions.
        given: usize,
        /// The length of the last axis of what is selected.
        needed: usize,
    },
    /// A clamp without a bound.
    #[error("no bound is given, a lower or an upper one is needed")]
    NoBound,
    /// A lower bound that is not below the upper one.
    #[error("the lower bound is {lower}, allowed: below the upper one, {upper}")]
    Bounds {
        /// The lower bound.
        lower: f64,
        /// The upper bound.
        upper: f64,
    },
    /// A mean of one site at another one.
    #[error("its mean is that of {mean_of}")]
    MeanOfOtherSite {
        /// The site that was averaged.
        mean_of: Site,
    },
    /// A mean of another shape than the site has, such as one of another model.
    #[error("its mean is {given}, needed: {needed}", given = Listed(given))]
    MeanShape {
        /// The shape of the mean.
        given: Vec<i64>,
        /// The shape of the site.
        needed: String,
    },
    /// A mean by position, at a position that the averaged sequences do not have.
    #[error("its mean is by position, of sequences of {len} tokens, and position {given} has none")]
    NoMeanAtPosition {
        /// The position.
        given: usize,
        /// How long the averaged sequences are.
        len: usize,
    },
    /// An edit at a site where it has no meaning.
    #[error("it has no meaning at that site, allowed: {allowed}")]
    EditSite {
        /// The sites where it has.
        allowed: &'static str,
    },
    /// A shuffle of nothing or of a single thing, which would change nothing.
    #[error("{given} selected, at least 2 are needed to change places")]
    TooFewToShuffle {
        /// How many there are.
        given: usize,
    },
    /// A hook that cannot be saved, because its edit is a closure or one's own.
    #[error("hook `{hook}` at {site} cannot be saved, allowed: built-in edits", hook = shown(hook))]
    NotBuiltIn {
        /// The hook's name.
        hook: String,
        /// Where it is.
        site: Site,
    },
    /// A file of interventions describes a hook that cannot be.
    #[error("{path}: hook {index} cannot be loaded", path = shown_path(path))]
    DescribedHook {
        /// The file.
        path: PathBuf,
        /// Which hook of the file, from 0.
        index: usize,
        /// Why.
        source: Box<Error>,
    },
    /// The tensors beside a file of interventions are not those that were saved with it.
    #[error(
        "{path}: not the tensors that belong to the text beside it, whose SHA-256 is {needed}, but {given}; take both files from one save",
        path = shown_path(path)
    )]
    OtherTensors {
        /// The file of tensors.
        path: PathBuf,
        /// Its SHA-256.
        given: String,
        /// The SHA-256 that the text names.
        needed: String,
    },
    /// A file of interventions names a tensor that is not beside it.
    #[error("{path}: no tensor `{given}`, stored: {stored}", path = shown_path(path), given = shown(given), stored = shown_reason(stored))]
    NoSuchTensor {
        /// The file of tensors.
        path: PathBuf,
        /// The name.
        given: String,
        /// The names that are there.
        stored: String,
    },
}
