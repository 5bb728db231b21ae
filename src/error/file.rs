//! What went wrong with a file.

use std::path::PathBuf;

/// What went wrong with a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// A file or directory that is needed is not there.
    #[error("{path}: no such file or directory", path = path.display())]
    NotFound {
        /// What was looked for.
        path: PathBuf,
    },
    /// A file could not be read.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file or directory could not be written.
    #[error("cannot write {path}", path = path.display())]
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
        path = path.display(),
        kept = kept.display()
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
    #[error("{path}: malformed JSON", path = path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A file is not the TOML that it should be.
    #[error("{path}: malformed TOML", path = path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Where and why, on several lines.
        source: Box<toml::de::Error>,
    },
}
