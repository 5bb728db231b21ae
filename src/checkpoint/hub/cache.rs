//! One model in the cache that all of Hugging Face's tools share:
//!
//! ```text
//! models--organisation--name/refs/main                         a commit
//! models--organisation--name/snapshots/<commit>/config.json    a link to a blob
//! models--organisation--name/blobs/<hash of the content>
//! .locks/models--organisation--name/<hash of the content>.lock
//! ```

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use fs4::{FileExt, TryLockError};

use super::content::ContentHash;
use super::names::{Commit, ModelName};
use crate::error::{CheckpointError, Error, FileError, Result};
use crate::files::whole_file;

pub struct Repository {
    root: PathBuf,
    locks: PathBuf,
}

impl Repository {
    pub fn new(cache: &Path, model: &ModelName) -> Self {
        let folder = model.folder();
        Self { root: cache.join(&folder), locks: cache.join(".locks").join(&folder) }
    }

    /// The commit that `main` points at.
    pub fn main(&self) -> Result<Option<Commit>> {
        let path = self.root.join("refs").join("main");
        let content = match fs::read_to_string(&path) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(FileError::Read { path, source }.into()),
        };
        match Commit::parse(content.trim()) {
            Some(commit) => Ok(Some(commit)),
            None => {
                let reason = "it does not hold a commit".to_owned();
                Err(CheckpointError::DamagedCache { path, reason }.into())
            }
        }
    }

    pub fn point_main_at(&self, commit: &Commit) -> Result<()> {
        let refs = self.root.join("refs");
        create(&refs)?;
        let lock = self.open_lock("main")?;
        FileExt::lock(&lock).map_err(not_written(&refs))?;
        if self.main().is_ok_and(|main| main.as_ref() == Some(commit)) {
            return Ok(());
        }
        whole_file::write(&refs.join("main"), commit.to_string())
    }

    pub fn snapshot(&self, commit: &Commit) -> PathBuf {
        self.root.join("snapshots").join(commit.to_string())
    }

    pub fn blob(&self, hash: &ContentHash) -> PathBuf {
        self.root.join("blobs").join(hash.digits())
    }

    /// Where a blob lies until it is whole.
    pub fn incomplete(&self, hash: &ContentHash) -> Result<PathBuf> {
        let blobs = self.root.join("blobs");
        create(&blobs)?;
        Ok(blobs.join(format!("{}.incomplete", hash.digits())))
    }

    /// The right to write a blob, which ends with the value, unless another process has it.
    pub fn try_lock(&self, hash: &ContentHash) -> Result<Option<File>> {
        let lock = self.open_lock(hash.digits())?;
        match FileExt::try_lock(&lock) {
            Ok(()) => Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(not_written(&self.lock_path(hash))(source)),
        }
    }

    pub fn lock_path(&self, hash: &ContentHash) -> PathBuf {
        self.locks.join(format!("{}.lock", hash.digits()))
    }

    fn open_lock(&self, name: &str) -> Result<File> {
        create(&self.locks)?;
        let path = self.locks.join(format!("{name}.lock"));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).open(&path).map_err(not_written(&path))
    }

    /// Shows a blob under a file's name, and gives back the path of that.
    pub fn link(&self, commit: &Commit, file: &str, hash: &ContentHash) -> Result<PathBuf> {
        let snapshot = self.snapshot(commit);
        create(&snapshot)?;
        let path = snapshot.join(file);
        // Relative, so that the cache can be moved.
        let target = Path::new("..").join("..").join("blobs").join(hash.digits());
        if fs::read_link(&path).is_ok_and(|found| found == target) {
            return Ok(path);
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => symlink_or_copy(&target, &self.blob(hash), &path),
        }
        .map_err(not_written(&path))?;
        Ok(path)
    }
}

#[cfg(unix)]
fn symlink_or_copy(target: &Path, _blob: &Path, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

/// Not every Windows lets its users make links.
#[cfg(not(unix))]
fn symlink_or_copy(target: &Path, blob: &Path, path: &Path) -> io::Result<()> {
    #[cfg(windows)]
    if std::os::windows::fs::symlink_file(target, path).is_ok() {
        return Ok(());
    }
    let _ = target;
    fs::copy(blob, path).map(|_| ())
}

fn create(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).map_err(not_written(directory))
}

pub fn not_written(path: &Path) -> impl Fn(io::Error) -> Error {
    let path = path.to_owned();
    move |source| FileError::Write { path: path.clone(), source }.into()
}
