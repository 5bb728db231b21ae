//! Files that are read: opened once, in one place, and nothing but files.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use crate::error::{Error, FileError, Result};

/// The most bytes of a text that people or programs write by hand: a configuration, an index, a header.
pub(crate) const SMALL: u64 = 16 << 20;
/// The most bytes of a file of a tokenizer.
pub(crate) const LARGE: u64 = 256 << 20;

/// A regular file, held open: whatever takes its name later, it is this one that is read.
#[derive(Debug)]
pub(crate) struct RegularFile {
    path: PathBuf,
    file: Mutex<File>,
    opened: State,
}

/// By what a file that was written to is told.
#[derive(Debug, PartialEq, Eq)]
struct State {
    size: u64,
    modified: Option<SystemTime>,
}

impl RegularFile {
    /// Opens a file, or what a link leads to.
    ///
    /// # Errors
    /// [`FileError::NotFound`], [`FileError::NotAFile`], [`FileError::Read`].
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => Error::from(FileError::NotFound { path: path.to_owned() }),
            _ => FileError::Read { path: path.to_owned(), source }.into(),
        };
        // Before it is opened: that alone waits for ever at a pipe, and rings at some devices.
        check(path, &fs::metadata(path).map_err(failed)?)?;
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        // Another may have taken its place meanwhile.
        check(path, &metadata)?;
        Ok(Self { path: path.to_owned(), file: Mutex::new(file), opened: State::of(&metadata) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its bytes when it was opened.
    pub fn size(&self) -> u64 {
        self.opened.size
    }

    /// All of it, if that is no more than `allowed` bytes.
    ///
    /// # Errors
    /// [`FileError::TooLarge`], before memory is taken; [`FileError::Changed`], [`FileError::Read`].
    pub fn content(&self, allowed: u64) -> Result<Vec<u8>> {
        let too_large =
            |size| FileError::TooLarge { path: self.path.clone(), size, allowed }.into();
        if self.size() > allowed {
            return Err(too_large(self.size()));
        }
        let mut content = Vec::with_capacity(self.size() as usize);
        // Some files of the system's are longer than they say.
        let read = |file: &mut File| {
            file.seek(SeekFrom::Start(0))?;
            file.take(allowed + 1).read_to_end(&mut content)
        };
        let read = self.read(read)? as u64;
        if read > allowed { Err(too_large(read)) } else { Ok(content) }
    }

    /// Fills `bytes` with what lies `from` bytes behind its beginning.
    ///
    /// # Errors
    /// [`FileError::Changed`], [`FileError::Read`].
    pub fn fill(&self, bytes: &mut [u8], from: u64) -> Result<()> {
        self.read(|file| {
            file.seek(SeekFrom::Start(from))?;
            file.read_exact(bytes)
        })
    }

    /// Whoever overwrites a file keeps it the same file: half of what is read may then be another's.
    fn read<T>(&self, read: impl FnOnce(&mut File) -> io::Result<T>) -> Result<T> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let read = read(&mut file);
        if file.metadata().is_ok_and(|metadata| State::of(&metadata) != self.opened) {
            return Err(FileError::Changed { path: self.path.clone() }.into());
        }
        read.map_err(|source| FileError::Read { path: self.path.clone(), source }.into())
    }
}

/// Whether there is something of this name, be it a link that leads nowhere: what is there and cannot be read
/// is an error, and never taken for absent.
///
/// # Errors
/// [`FileError::Read`].
pub(crate) fn is_there(path: &Path) -> Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(FileError::Read { path: path.to_owned(), source }.into()),
    }
}

impl State {
    fn of(metadata: &Metadata) -> Self {
        Self { size: metadata.len(), modified: metadata.modified().ok() }
    }
}

fn check(path: &Path, metadata: &Metadata) -> Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let given = if metadata.is_dir() { "a directory" } else { "a pipe, a socket or a device" };
    Err(FileError::NotAFile { path: path.to_owned(), given }.into())
}
