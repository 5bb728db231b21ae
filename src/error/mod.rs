//! What can go wrong: one public enum of a few cases, each with the typed reason of its room.
//!
//! The reasons stand here, a file for each room, and not in the rooms: a room that owned its reason and the
//! enum that holds all of them would import each other. Rooms hand their own on, as
//! `sweep::SweepError`.

mod analysis;
mod batch;
mod capture;
mod checkpoint;
mod experiment;
mod file;
mod hook;
mod intervention;
mod lens;
mod listed;
mod run;
mod selection;
mod shown;
mod sweep;
mod tokenizer;

pub use analysis::AnalysisError;
pub use batch::BatchError;
pub use capture::CaptureError;
pub use checkpoint::CheckpointError;
pub use experiment::ExperimentError;
pub use file::FileError;
pub use hook::HookError;
pub use intervention::InterventionError;
pub use lens::LensError;
pub use run::RunError;
pub use selection::SelectionError;
pub use sweep::SweepError;
pub use tokenizer::TokenizerError;

pub(crate) use listed::Listed;
pub(crate) use shown::{shown, shown_debug, shown_path, shown_reason};

use crate::site::UnknownSite;

/// The result of every fallible function of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong: each reason names what was given and what is allowed.
///
/// `Display` is always one line, cuts long names and lists, and never repeats its
/// [`source`](std::error::Error::source).
/// So print the chain of sources, too, as [the guide](crate::guide::dependency#when-something-fails) shows: without it the
/// reason may be missing. An error of the caller's own is printed as it is.
///
/// ```
/// use hooked_gpt2::error::{BatchError, Error};
/// use hooked_gpt2::Batch;
///
/// match Batch::new([vec![5], vec![]]) {
///     Err(Error::Batch(BatchError::EmptySequence { sequence })) => assert_eq!(sequence, 1),
///     other => panic!("{other:?}"),
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A text, or a tokenizer.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The tokens of a run.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// A selection that model or input do not have.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// A hook.
    #[error(transparent)]
    Hook(#[from] HookError),
    /// A capture.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// An edit by itself, or a file of edits.
    #[error(transparent)]
    Intervention(#[from] InterventionError),
    /// A run or a generation.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A sweep.
    #[error(transparent)]
    Sweep(#[from] SweepError),
    /// A lens.
    #[error(transparent)]
    Lens(#[from] LensError),
    /// Values for which a statistic has no meaning.
    #[error(transparent)]
    Analysis(#[from] AnalysisError),
    /// An experiment.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// A device that this machine, or this libtorch, does not have.
    #[error(
        "device `{given}` is not available{}, available: {available}",
        in_parentheses(.reason),
        given = shown(given)
    )]
    NoSuchDevice {
        /// The device.
        given: String,
        /// The devices that are.
        available: String,
        /// Why there is no device of its kind, if that is known.
        reason: Option<String>,
    },
    /// A word that is none of the allowed ones.
    #[error("{what} `{given}` is not known, allowed: {allowed}", given = shown(given), allowed = shown_reason(allowed))]
    UnknownName {
        /// What the word should have named.
        what: &'static str,
        /// The word.
        given: String,
        /// The words allowed.
        allowed: String,
    },
    /// A figure could not be drawn.
    #[error("cannot draw a figure: {reason}", reason = shown_reason(reason))]
    Figure {
        /// The plotting library's reason.
        reason: String,
    },
    /// A tensor that holds its numbers otherwise than one after the other, or holds none.
    #[error("the tensor is {given}, a dense one of a known kind is needed")]
    NotDense {
        /// What it is.
        given: &'static str,
    },
    /// There is too little memory for tensors. Where not even a megabyte is left, for the small things beside them, the
    /// process may end all the same: Rust aborts, and oneDNN does not check each of its own allocations.
    #[error("there is too little memory{}", for_bytes(.bytes))]
    OutOfMemory {
        /// What was asked for in one piece, in bytes, if that is known.
        bytes: Option<usize>,
    },
    /// libtorch refused an operation.
    #[error("libtorch: {}", first_line(.0))]
    Torch(tch::TchError),
    /// An error of the caller's own, from an edit, a metric or a closure: see [`other`](Self::other).
    #[error(transparent)]
    Other(#[from] Box<dyn std::error::Error + Send + Sync>),
    /// Something that this crate promises never to happen: please report it.
    #[error("this is a mistake of hooked-gpt2, please report it: {0}")]
    Bug(String),
}

impl Error {
    /// Takes an error of the caller's own along, so that an edit, a metric or a closure can fail with it.
    ///
    /// ```
    /// use hooked_gpt2::{Error, sweep::Measure};
    ///
    /// let of_my_own = Measure::new("of my own", |_| "x".parse::<f64>().map_err(Error::other));
    /// ```
    pub fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Other(error.into())
    }
}

impl From<UnknownSite> for Error {
    fn from(error: UnknownSite) -> Self {
        SelectionError::from(error).into()
    }
}

impl From<tch::TchError> for Error {
    fn from(error: tch::TchError) -> Self {
        let text = error.to_string();
        if !["can't allocate memory", "out of memory", "bad_alloc"]
            .iter()
            .any(|said| text.contains(said))
        {
            return Error::Torch(error);
        }
        let bytes =
            text.split_once("tried to allocate ").and_then(|(_, rest)| rest.split_once(" bytes"));
        Error::OutOfMemory { bytes: bytes.and_then(|(bytes, _)| bytes.parse().ok()) }
    }
}

/// libtorch appends a C++ stack trace to its messages; the first line says what is wrong.
fn first_line(error: &tch::TchError) -> String {
    shown_reason(error.to_string().lines().next().unwrap_or_default())
}

fn for_bytes(bytes: &Option<usize>) -> String {
    bytes.map_or(String::new(), |bytes| format!(": {bytes} bytes more are needed"))
}

fn in_parentheses(reason: &Option<String>) -> String {
    reason.as_ref().map_or(String::new(), |reason| format!(" ({reason})"))
}
