//! Why a sweep is refused, or cannot go on.

use super::{Error, Listed, shown, shown_reason};

/// Why a sweep is refused, or cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SweepError {
    /// A grid over positions of sequences that are not equally long.
    #[error(
        "a grid over positions needs sequences of one length, given: {first} and {other} tokens"
    )]
    UnequalLengths {
        /// The length of the first sequence.
        first: usize,
        /// That of another one.
        other: usize,
    },
    /// A place is not named in each sequence once.
    #[error(
        "the place `{place}` is named in {given} sequences of {needed}, in each once is needed",
        place = shown(place)
    )]
    PlaceCount {
        /// The place.
        place: String,
        /// In how many it is named.
        given: usize,
        /// The number of sequences.
        needed: usize,
    },
    /// What is patched in is of a sequence of another length.
    #[error("the other run has {given} positions in sequence {sequence}, needed: {needed}")]
    OtherLength {
        /// The sequence's index in the batch.
        sequence: usize,
        /// The positions of the other run.
        given: usize,
        /// The positions of the sequence.
        needed: usize,
    },
    /// An axis of a sweep along which nothing varies.
    #[error("the axis `{axis}` is empty, at least one value is needed", axis = shown(axis))]
    EmptyAxis {
        /// The axis.
        axis: String,
    },
    /// The number of templates is not that of the sequences.
    #[error("templates of {given} sequences for {needed}, one for each is needed")]
    TemplateCount {
        /// How many are given.
        given: usize,
        /// The number of sequences.
        needed: usize,
    },
    /// A template that there are no means of.
    #[error(
        "there are no means of template {given}, that of sequence {sequence}; there are means of {templates} templates"
    )]
    NoSuchTemplate {
        /// The number of the template.
        given: usize,
        /// The index of the sequence.
        sequence: usize,
        /// How many templates there are means of.
        templates: usize,
    },
    /// Axes with more points than can be counted.
    #[error(
        "axes of the lengths {shape} have more points than can be counted",
        shape = Listed(shape)
    )]
    TooManyPoints {
        /// The length of each axis.
        shape: Vec<usize>,
    },
    /// Variants were made for another batch.
    #[error("variants of {given} sequences in a sweep over {needed}, as many are needed")]
    VariantSequences {
        /// The sequences that the variants are of.
        given: usize,
        /// The sequences of the sweep.
        needed: usize,
    },
    /// A point that is not on the axes of a sweep.
    #[error(
        "no variant is at {given}, the axes have the lengths {shape}",
        given = Listed(given),
        shape = Listed(shape)
    )]
    NoSuchPoint {
        /// The index along each axis.
        given: Vec<usize>,
        /// The length of each axis.
        shape: Vec<usize>,
    },
    /// Logits were looked up that a sweep did not keep.
    #[error("the sweep kept no logits, `Sweep::keep_logits` asks for them")]
    LogitsNotKept,
    /// Variants were made for other tokens.
    #[error("the variants were made for another batch: sequence {sequence} has other tokens")]
    OtherTokens {
        /// The index of the first such sequence.
        sequence: usize,
    },
    /// Two metrics of one name, of which one could not be looked up.
    #[error("two metrics are called `{name}`, one can be `named` otherwise", name = shown(name))]
    MetricTwice {
        /// The name.
        name: String,
    },
    /// A metric of one target token, where a sequence is scored at several positions.
    #[error(
        "`{metric}` has one target and sequence {sequence} is scored at {positions} positions; allowed: one position, or `at_every_position`; `NextTokenLoss` scores the tokens of the text",
        metric = shown(metric)
    )]
    OneTarget {
        /// The metric.
        metric: String,
        /// The index of the first such sequence.
        sequence: usize,
        /// How many positions of it are scored.
        positions: usize,
    },
    /// The number of targets is not that of the sequences.
    #[error(
        "`{metric}` has {given} targets for {needed} sequences, one for each is needed",
        metric = shown(metric)
    )]
    TargetCount {
        /// The metric.
        metric: String,
        /// The number of targets.
        given: usize,
        /// The number of sequences.
        needed: usize,
    },
    /// A sequence has no target.
    #[error(
        "`{metric}` has no target for sequence {sequence}, at least one is needed",
        metric = shown(metric)
    )]
    NoTarget {
        /// The metric.
        metric: String,
        /// The sequence.
        sequence: usize,
    },
    /// A metric of next tokens, where no scored position has one.
    #[error(
        "`{metric}` needs a token behind a scored position, and none is scored but the last",
        metric = shown(metric)
    )]
    NoNextToken {
        /// The metric.
        metric: String,
    },
    /// A sweep does not fit its memory, however it is split.
    #[error(
        "one variant, with all that is captured before it, needs {} ({needed} bytes) besides the model, allowed: {} ({max_bytes} bytes)",
        mebibytes(*needed),
        mebibytes(*max_bytes)
    )]
    BudgetTooSmall {
        /// The bytes allowed.
        max_bytes: usize,
        /// The bytes that the smallest pass needs.
        needed: usize,
    },
    /// One variant of a sweep cannot run, or cannot be measured.
    #[error("{variant}", variant = shown_reason(variant))]
    Variant {
        /// Its point on the axes of the sweep.
        variant: String,
        /// Why.
        source: Box<Error>,
    },
}

/// Bytes as programs ask for them, rounded up: who allows as many has enough.
fn mebibytes(bytes: usize) -> String {
    format!("{:.1} MiB", (bytes as f64 / f64::from(1 << 20) * 10.0).ceil() / 10.0)
}
