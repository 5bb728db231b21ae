//! A published claim, held against a run.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::experiment::Verdict;

/// A published claim, and what a run says of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What was published about GPT-2 Medium, in its own words.
    pub claim: &'static str,
    /// What this run says of it.
    pub verdict: Verdict,
    /// Why it cannot be told, if it cannot.
    pub reason: Option<Reason>,
    /// The layers that `parts` are measured on.
    pub layers: Vec<usize>,
    /// What its words ask for, and what was measured.
    pub parts: Vec<Part>,
}

/// Words of a claim as a quantity.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Part {
    /// The words.
    pub words: &'static str,
    /// What stands for them.
    pub quantity: &'static str,
    /// What it is here; `None` if it is undefined.
    pub measured: Option<f64>,
    /// What it must be.
    pub needed: Needed,
    /// Whether it is; `None` where the claim cannot be told.
    pub holds: Option<bool>,
}

/// What a quantity must be, the bounds included.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Needed {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
    /// More than this.
    MoreThan(f64),
    /// From the first to the second.
    Between(f64, f64),
}

/// Why a run cannot tell.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// A factor of 1, which changes nothing.
    FactorOfOne,
    /// Another factor than the published one.
    OtherFactor {
        /// The factor.
        given: f64,
        /// The published one.
        published: f64,
    },
    /// Another prompt than the published one.
    OtherPrompt,
    /// Another target than the published one.
    OtherTarget,
    /// Layers that the claim is about were not swept.
    NotSwept {
        /// Those layers.
        layers: Vec<usize>,
    },
    /// The target is the most likely token already.
    NoRoomToRise,
    /// The final layer norm divides the factor on the last layer out again.
    DividedOut {
        /// The last layer.
        layer: usize,
    },
    /// Scaling changed nothing by more than roundings may.
    NoChange {
        /// The layers that were scaled.
        layers: Vec<usize>,
        /// What would have counted as a change.
        least: f64,
    },
    /// A model of too few layers.
    TooFewLayers {
        /// Its layers.
        given: usize,
        /// As many as are needed.
        needed: usize,
    },
}

impl Needed {
    /// Whether `measured` is what is needed; NaN never is.
    pub fn holds(self, measured: f64) -> bool {
        match self {
            Needed::AtLeast(least) => measured >= least,
            Needed::AtMost(most) => measured <= most,
            Needed::MoreThan(bound) => measured > bound,
            Needed::Between(least, most) => least <= measured && measured <= most,
        }
    }
}

impl fmt::Display for Needed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Needed::AtLeast(least) => write!(f, "at least {least}"),
            Needed::AtMost(most) => write!(f, "at most {most}"),
            Needed::MoreThan(bound) => write!(f, "more than {bound}"),
            Needed::Between(least, most) => write!(f, "{least} to {most}"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::FactorOfOne => write!(f, "a factor of 1 changes nothing"),
            Reason::OtherFactor { given, published } => {
                write!(f, "the factor is {given}, the published one {published}")
            }
            Reason::OtherPrompt => write!(f, "the prompt is not the published one"),
            Reason::OtherTarget => write!(f, "the target is not the published one"),
            Reason::NotSwept { layers } => {
                let (layers, are) =
                    (in_words(layers), if layers.len() == 1 { "was" } else { "were" });
                write!(f, "{layers} {are} not swept")
            }
            Reason::NoRoomToRise => {
                write!(f, "the target is the most likely token already and has no room to rise")
            }
            Reason::DividedOut { layer } => {
                write!(f, "the final layer norm divides the factor on layer {layer} out again")
            }
            Reason::NoChange { layers, least } => {
                let layers = in_words(layers);
                write!(f, "scaling {layers} changed no logit by {least} or more")
            }
            Reason::TooFewLayers { given, needed } => {
                write!(f, "the model has {given} layers, {needed} are needed")
            }
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// `layer 2`, `layers 0 to 4 and 6`.
fn in_words(layers: &[usize]) -> String {
    let stretches: Vec<String> = layers
        .chunk_by(|a, b| a + 1 == *b)
        .map(|stretch| match stretch {
            [first, .., last] if first + 1 < *last => format!("{first} to {last}"),
            [first, last] => format!("{first} and {last}"),
            stretch => format!("{}", stretch[0]),
        })
        .collect();
    let layer = if layers.len() == 1 { "layer" } else { "layers" };
    match stretches.split_last() {
        Some((last, [])) => format!("{layer} {last}"),
        Some((last, others)) => format!("{layer} {} and {last}", others.join(", ")),
        None => "no layer".to_owned(),
    }
}
