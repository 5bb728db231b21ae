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
