//! Values for which a statistic has no meaning.

/// Values for which a statistic has no meaning.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnalysisError {
    /// A statistic was asked of too few values.
    #[error("{statistic} needs at least {needed} values, given: {given}")]
    TooFewValues {
        /// The statistic.
        statistic: &'static str,
        /// How many it needs.
        needed: usize,
        /// How many it was given.
        given: usize,
    },
    /// Two vectors that must be equally long are not.
    #[error("{statistic} needs two vectors of one length, given: {left} and {right}")]
    LengthMismatch {
        /// The statistic.
        statistic: &'static str,
        /// Length of the first.
        left: usize,
        /// Length of the second.
        right: usize,
    },
    /// NaN, or an infinity where only finite values have a meaning.
    #[error(
        "{statistic}: value {index} is {given}, {} is needed",
        if given.is_nan() { "a number" } else { "a finite number" }
    )]
    BadValue {
        /// The statistic.
        statistic: &'static str,
        /// Index of the first such value.
        index: usize,
        /// The value.
        given: f64,
    },
    /// A statistic that divides by a spread was given constant values.
    #[error("{statistic} is undefined: all values of the {which} vector are equal")]
    ZeroVariance {
        /// The statistic.
        statistic: &'static str,
        /// `first` or `second`.
        which: &'static str,
    },
    /// A number that says what is asked for is not one of those that can be asked for.
    #[error("{what} is {given}, allowed: {allowed}")]
    OutOfRange {
        /// What the number is.
        what: &'static str,
        /// The number.
        given: f64,
        /// Which numbers are allowed.
        allowed: &'static str,
    },
    /// A statistic that divides by a length was given a vector of zeros.
    #[error("{statistic} is undefined: all values of the {which} vector are zero")]
    ZeroNorm {
        /// The statistic.
        statistic: &'static str,
        /// `first` or `second`.
        which: &'static str,
    },
    /// A share of a difference of nothing.
    #[error("{statistic} is undefined: the clean and the corrupted value are both {value}")]
    NoDifference {
        /// The statistic.
        statistic: &'static str,
        /// The value of both.
        value: f64,
    },
    /// More of the most likely tokens were asked for than there are.
    #[error("top {given} is out of range, allowed: 1 to {allowed}")]
    TopKOutOfRange {
        /// The k asked for.
        given: usize,
        /// The largest k.
        allowed: usize,
    },
}
