//! What went wrong with a file.

use std::path::{Path, PathBuf};

use super::{shown_path, shown_reason};

/// What went wrong with a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// A file or directory that is needed is not there.
    #[error("{path}: no such file or directory", path = shown_path(path))]
    NotFound {
        /// What was looked for.
        path: PathBuf,
    },
    /// A file could not be read.
    #[error("cannot read {path}", path = shown_path(path))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something else lies where a file is to be read: a directory, a pipe, a device.
    #[error("{path} is {given}, a file is needed", path = shown_path(path))]
    NotAFile {
        /// What was to be read.
        path: PathBuf,
        /// What it is.
        given: &'static str,
    },
    /// A file is larger than such a file can sensibly be.
    #[error("{path} has {size} bytes, allowed: {allowed}", path = shown_path(path))]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its bytes, as far as they were counted.
        size: u64,
        /// The most bytes allowed.
        allowed: u64,
    },
    /// A file was written to after it was opened: what was read of it may be half of one and half of another.
    #[error("{path} was changed after it was opened", path = shown_path(path))]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A file or directory could not be written.
    #[error("cannot write {path}", path = shown_path(path))]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// An empty path where a directory is needed.
    #[error("an empty path is no directory, allowed: `.` for the one that the program runs in")]
    NoDirectory,
    /// A name that a result in a directory cannot have.
    #[error(
        "a result cannot be called {given:?}, allowed: the name of a file in the directory, another for each result, without `/`, `\\`, `:` and control characters"
    )]
    ResultName {
        /// The name.
        given: String,
    },
    /// Results are written, and could not be put where they belong.
    #[error(
        "cannot write {path}: the results that are not there yet are in {kept}",
        path = shown_path(path),
        kept = shown_path(kept)
    )]
    NotInPlace {
        /// The file.
        path: PathBuf,
        /// The directory that holds them.
        kept: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not the JSON that it should be.
    #[error("{path}: malformed JSON: {reason}", path = shown_path(path), reason = shown_reason(reason))]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// A file is not the TOML that it should be.
    #[error("{path}: malformed TOML: {reason}", path = shown_path(path), reason = shown_reason(reason))]
    Toml {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
}

impl FileError {
    pub(crate) fn json(path: &Path, error: &serde_json::Error) -> Self {
        Self::Json { path: path.to_owned(), reason: error.to_string() }
    }

    pub(crate) fn toml(path: &Path, error: &toml::de::Error) -> Self {
        // Its text draws the place on several lines, below one that says where that is.
        let text = error.to_string();
        let place = text.split_once('\n').map_or("", |(place, _)| place);
        let place = place.strip_prefix("TOML parse error").unwrap_or(place);
        Self::Toml { path: path.to_owned(), reason: format!("{}{place}", error.message()) }
    }
}
