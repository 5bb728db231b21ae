//! The two languages of a description.

use std::io;
use std::path::Path;

use super::Description;
use crate::error::{Error, FileError, Result};

/// A language, chosen by the file's extension.
#[derive(Debug, Clone, Copy)]
pub(super) enum Format {
    Toml,
    Json,
}

impl Format {
    pub fn of(path: &Path) -> Result<Self> {
        let extension = path.extension().unwrap_or_default();
        match extension.to_str() {
            Some("toml") => Ok(Self::Toml),
            Some("json") => Ok(Self::Json),
            _ => Err(Error::UnknownName {
                what: "the file extension",
                given: extension.to_string_lossy().into_owned(),
                allowed: "toml, json".to_owned(),
            }),
        }
    }

    /// The text; `path` is only named in the error.
    pub fn write(self, description: &Description, path: &Path) -> Result<String> {
        let text = match self {
            Self::Toml => toml::to_string(description).map_err(io::Error::other),
            Self::Json => serde_json::to_string_pretty(description)
                .map(|text| text + "\n")
                .map_err(io::Error::from),
        };
        text.map_err(|source| Error::File(FileError::Write { path: path.to_owned(), source }))
    }

    /// What a text says; `path` is only named in the error.
    pub fn read(self, text: &str, path: &Path) -> Result<Description> {
        match self {
            Self::Toml => {
                toml::from_str(text).map_err(|error| FileError::toml(path, &error).into())
            }
            Self::Json => {
                serde_json::from_str(text).map_err(|error| FileError::json(path, &error).into())
            }
        }
    }
}
