//! A directory of results in which no file is ever half written.

use std::path::{Path, PathBuf};

use crate::error::{Error, FileError, Result};
use crate::whole_file;

/// A directory that results are written into.
#[derive(Debug, Clone)]
pub struct OutputDir {
    path: PathBuf,
}

impl OutputDir {
    /// Makes the directory where it is missing, and checks that files can be written there: to be
    /// called before hours of work, not after.
    ///
    /// # Errors
    /// [`FileError::Write`].
    pub fn create(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let probe = path.join(".write-probe");
        std::fs::create_dir_all(&path)
            .and_then(|()| std::fs::write(&probe, []))
            .and_then(|()| std::fs::remove_file(&probe))
            .map_err(|source| Error::File(FileError::Write { path: path.clone(), source }))?;
        Ok(Self { path })
    }

    /// Writes a file under another name and renames it when it is whole.
    ///
    /// # Errors
    /// [`FileError::Write`].
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.path.join(name);
        whole_file::write(&path, content)?;
        Ok(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
