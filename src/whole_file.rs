//! Files that are never half written.

use std::ffi::OsString;
use std::path::Path;

use crate::error::{Error, FileError, Result};

/// Writes a file under another name beside `path` and renames it when it is whole.
///
/// # Errors
/// [`FileError::Write`].
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    let mut partial = OsString::from(".");
    partial.push(path.file_name().unwrap_or_default());
    partial.push(".partial");
    let partial = path.with_file_name(partial);
    std::fs::write(&partial, content)
        .and_then(|()| std::fs::rename(&partial, path))
        .map_err(|source| Error::File(FileError::Write { path: path.to_owned(), source }))
}
