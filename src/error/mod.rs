//! What can go wrong: one public enum of a few cases, each with the typed reason of its room.
//!
//! The reasons stand here, a file for each room, and not in the rooms: a room that owned its reason and the
//! enum that holds all of them would import each other. Rooms hand their own on, as
//! `sweep::SweepError`.

mod analysis;
mod batch;
mod capture;
mod checkpoint;
mod data;
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
pub use data::{DataError, Origin};
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

use std::fmt;

use crate::site::UnknownSite;

/// The result of every fallible function of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong: each reason names what was given and what is allowed.
///
/// `Display` is always one line, cuts long names and lists, and never repeats its
/// [`source`](std::error::Error::source). So print the causes, too, without which the reason may be missing: `{:#}` writes
/// the error and all of them in one line, of this type as of `anyhow::Error`. An error of the caller's own is printed as
/// it is. `Debug` writes that line as well: it is what a person sees of a `main` that returns the error, and of `unwrap`.
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
#[non_exhaustive]
pub enum Error {
    /// A file.
    File(FileError),
    /// A checkpoint.
    Checkpoint(CheckpointError),
    /// A text, or a tokenizer.
    Tokenizer(TokenizerError),
    /// The tokens of a run.
    Batch(BatchError),
    /// Prompts, answers, places.
    Data(DataError),
    /// A selection that model or input do not have.
    Selection(SelectionError),
    /// A hook.
    Hook(HookError),
    /// A capture.
    Capture(CaptureError),
    /// An edit by itself, or a file of edits.
    Intervention(InterventionError),
    /// A run or a generation.
    Run(RunError),
    /// A sweep.
    Sweep(SweepError),
    /// A lens.
    Lens(LensError),
    /// Values for which a statistic has no meaning.
    Analysis(AnalysisError),
    /// An experiment.
    Experiment(ExperimentError),
    /// A device that this machine, or this libtorch, does not have.
    NoSuchDevice {
        /// The device.
        given: String,
        /// The devices that are.
        available: String,
        /// Why there is no device of its kind, if that is known.
        reason: Option<String>,
    },
    /// A word that is none of the allowed ones.
    UnknownName {
        /// What the word should have named.
        what: &'static str,
        /// The word.
        given: String,
        /// The words allowed.
        allowed: String,
    },
    /// A figure could not be drawn.
    Figure {
        /// The plotting library's reason.
        reason: String,
    },
    /// A tensor that holds its numbers otherwise than one after the other, or holds none.
    NotDense {
        /// What it is.
        given: &'static str,
    },
    /// There is too little memory for tensors. Where not even a megabyte is left, for the small things beside them, the
    /// process may end all the same: Rust aborts, and oneDNN does not check each of its own allocations.
    OutOfMemory {
        /// What was asked for in one piece, in bytes, if that is known.
        bytes: Option<usize>,
    },
    /// libtorch refused an operation.
    Torch(tch::TchError),
    /// An error of the caller's own, from an edit, a metric or a closure: see [`other`](Self::other).
    Other(Box<dyn std::error::Error + Send + Sync>),
    /// Something that this crate promises never to happen: please report it.
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

/// Makes the cases that a room's reason fills: they read, and are caused, as the reason is.
macro_rules! reasons {
    ($($case:ident $reason:ident;)*) => {
        $(impl From<$reason> for Error {
            fn from(reason: $reason) -> Self {
                Self::$case(reason)
            }
        })*

        impl Error {
            /// The reason of a room, or the caller's own error, which this one passes on.
            fn reason(&self) -> Option<&(dyn std::error::Error + 'static)> {
                match self {
                    $(Self::$case(reason) => Some(reason),)*
                    Self::Other(error) => Some(&**error),
                    _ => None,
                }
            }
        }
    };
}

reasons! {
    File FileError;
    Checkpoint CheckpointError;
    Tokenizer TokenizerError;
    Batch BatchError;
    Selection SelectionError;
    Hook HookError;
    Capture CaptureError;
    Intervention InterventionError;
    Run RunError;
    Sweep SweepError;
    Analysis AnalysisError;
    Data DataError;
    Lens LensError;
    Experiment ExperimentError;
}

impl From<Box<dyn std::error::Error + Send + Sync>> for Error {
    fn from(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self::Other(error)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.reason().and_then(std::error::Error::source)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchDevice { given, available, reason } => {
                let reason = in_parentheses(reason);
                let given = shown(given);
                write!(f, "device `{given}` is not available{reason}, available: {available}")?;
            }
            Self::UnknownName { what, given, allowed } => {
                let (given, allowed) = (shown(given), shown_reason(allowed));
                write!(f, "{what} `{given}` is not known, allowed: {allowed}")?;
            }
            Self::Figure { reason } => write!(f, "cannot draw a figure: {}", shown_reason(reason))?,
            Self::NotDense { given } => {
                write!(f, "the tensor is {given}, a dense one of a known kind is needed")?;
            }
            Self::OutOfMemory { bytes } => {
                write!(f, "there is too little memory{}", for_bytes(bytes))?;
            }
            Self::Torch(error) => write!(f, "libtorch: {}", first_line(error))?,
            Self::Bug(text) => {
                write!(f, "this is a mistake of hooked-gpt2, please report it: {text}")?;
            }
            // All others have a reason. Its own `{:#}` might write the causes that follow.
            _ => self.reason().map_or(Ok(()), |reason| write!(f, "{reason}"))?,
        }
        if f.alternate() {
            let first = std::error::Error::source(self);
            for cause in std::iter::successors(first, |cause| cause.source()) {
                write!(f, ": {cause}")?;
            }
        }
        Ok(())
    }
}

/// What `{:#}` writes: `main`, `unwrap` and `expect` print errors in this form, and people read it.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#}")
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
