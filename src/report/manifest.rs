//! How a run was made, so that it can be made again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{FileError, Result};
use crate::files::regular_file::{self, RegularFile};

/// The version of the JSON: it grows when a key goes or comes to mean something else.
const SCHEMA_VERSION: u32 = 1;
/// The most bytes of a report that is read back.
const LARGEST_REPORT: u64 = 1 << 30;

/// How a run was made: the program, its arguments, and the bytes of the model.
///
/// It lies beside the results as `manifest.json`. The example `replay` runs it again and says how far the new results lie
/// from the old ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Manifest {
    /// The version of its JSON.
    pub schema_version: u32,
    /// The program, without its directory.
    pub program: String,
    /// Its arguments, as they were given.
    pub arguments: Vec<String>,
    /// Where it was started: relative paths among the arguments begin there.
    pub directory: PathBuf,
    /// The version of this crate.
    #[serde(rename = "hooked-gpt2")]
    pub version: String,
    /// The system: its name and its processor.
    pub system: String,
    /// The SHA-256 of each file of weights, by its name.
    pub weights: BTreeMap<String, String>,
    /// The file that holds the report, beside this one.
    pub report: String,
}

impl Manifest {
    /// Of the program that runs, with these arguments and these [weights](crate::Checkpoint::weights_sha256).
    pub fn new(
        program: impl Into<String>,
        arguments: impl IntoIterator<Item = String>,
        weights: BTreeMap<String, String>,
        report: impl Into<String>,
    ) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            program: program.into(),
            arguments: arguments.into_iter().collect(),
            directory: std::env::current_dir().unwrap_or_default(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            weights,
            report: report.into(),
        }
    }

    /// Reads one.
    ///
    /// # Errors
    /// The cases of [`FileError`], [`FileError::Json`] for what is no manifest.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        read_json(path.as_ref(), regular_file::SMALL)
    }
}

impl super::Report {
    /// Reads a report from its JSON, without its pictures.
    ///
    /// # Errors
    /// The cases of [`FileError`], [`FileError::Json`] for what is no report.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        read_json(path.as_ref(), LARGEST_REPORT)
    }
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path, most: u64) -> Result<T> {
    let content = RegularFile::open(path)?.content(most)?;
    Ok(serde_json::from_slice(&content).map_err(|error| FileError::json(path, &error))?)
}
