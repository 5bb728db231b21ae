//! Programs that write into one directory wait for each other.

use std::fs::File;
use std::io;
use std::path::Path;

use fs4::FileExt;

/// A lock on a directory, which ends with the value and with the process. It leaves no file behind: it is on the
/// directory itself. Where the system or the file system has no such locks, nobody waits.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    open: Option<File>,
}

impl DirectoryLock {
    /// Waits until nobody has the directory alone; others may share it.
    pub fn shared(directory: &Path) -> Self {
        Self::waiting(directory, FileExt::lock_shared)
    }

    /// Waits until nobody else has the directory.
    pub fn alone(directory: &Path) -> Self {
        Self::waiting(directory, FileExt::lock)
    }

    /// Whether the file system knows locks, and this is one.
    pub fn is_held(&self) -> bool {
        self.open.is_some()
    }

    /// The directory alone, if nobody else has it now and the file system knows locks.
    pub fn try_alone(directory: &Path) -> Option<Self> {
        let open = File::open(directory).ok()?;
        FileExt::try_lock(&open).is_ok().then_some(Self { open: Some(open) })
    }

    fn waiting(directory: &Path, lock: fn(&File) -> io::Result<()>) -> Self {
        let Ok(open) = File::open(directory) else { return Self { open: None } };
        loop {
            match lock(&open) {
                Ok(()) => return Self { open: Some(open) },
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(_) => return Self { open: None },
            }
        }
    }
}
