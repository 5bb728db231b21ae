//! Files that are never half written.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::error::{Error, FileError, Result};

/// How the name of what is not whole yet begins.
pub(crate) const PARTIAL_PREFIX: &str = ".hooked-gpt2-";
/// How it ends. What is between is drawn, and nobody else's.
pub(crate) const PARTIAL_SUFFIX: &str = ".partial";

/// Linux follows as many.
const MOST_LINKS: usize = 40;

/// Writes a file under a name that nobody else has, in the same directory, and renames it when it is whole and on the
/// disk. Behind a link, the file that it leads to is replaced; the permissions are those of the file that was
/// there, or of any new one.
///
/// # Errors
/// [`FileError::Write`]. What was at `path` is then still there.
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    write_with(path, content.as_ref(), None)
}

/// The same where `fill` writes the content, under the path that it is given.
///
/// # Errors
/// Those of [`write`].
pub(crate) fn write_by(path: &Path, fill: impl FnOnce(&Path) -> io::Result<()>) -> Result<()> {
    let written = behind_links(path).and_then(|target| {
        let own = permissions_of(&target)?;
        put_by(&target, own, |partial| fill(partial.path()))
    });
    written.map_err(|source| Error::File(FileError::Write { path: path.to_owned(), source }))
}

/// The same with these permissions, if there are any.
///
/// # Errors
/// Those of [`write`].
pub(crate) fn write_with(
    path: &Path,
    content: &[u8],
    permissions: Option<fs::Permissions>,
) -> Result<()> {
    let written = behind_links(path).and_then(|target| {
        let own = permissions_of(&target)?;
        put(&target, content, permissions.or(own))
    });
    written.map_err(|source| Error::File(FileError::Write { path: path.to_owned(), source }))
}

/// What a path leads to, which need not be there yet.
///
/// # Errors
/// Links that lead in a circle.
pub(crate) fn behind_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(target) = fs::read_link(&path) else { return Ok(path) };
        path = directory_of(&path).join(target);
    }
    Err(io::Error::other("too many links, which may lead in a circle"))
}

/// Where a file lies: a bare name in the directory that the program runs in.
pub(crate) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The same of a path that is no link, with these permissions or those of any new file.
pub(crate) fn put(
    target: &Path,
    content: &[u8],
    permissions: Option<fs::Permissions>,
) -> io::Result<()> {
    put_by(target, permissions, |partial| partial.as_file_mut().write_all(content))
}

fn put_by(
    target: &Path,
    permissions: Option<fs::Permissions>,
    fill: impl FnOnce(&mut NamedTempFile) -> io::Result<()>,
) -> io::Result<()> {
    let mut partial = partial_in(directory_of(target), permissions.as_ref())?;
    fill(&mut partial)?;
    if let Some(permissions) = permissions {
        partial.as_file().set_permissions(permissions)?;
    }
    partial.as_file().sync_all()?;
    partial.persist(target)?;
    sync_directory(directory_of(target))
}

/// The permissions of the file that is to be replaced, if there is one: where it could not be written into, it is not
/// replaced either.
pub(crate) fn permissions_of(target: &Path) -> io::Result<Option<fs::Permissions>> {
    let metadata = match fs::symlink_metadata(target) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if !metadata.is_file() {
        return Err(io::Error::other("what is there is not a file, and is not replaced"));
    }
    File::options().write(true).open(target)?;
    Ok(Some(metadata.permissions()))
}

/// A file that is not whole yet, which goes with the value. Nobody may read it who may not read the file that it
/// becomes.
pub(crate) fn partial_in(
    directory: &Path,
    permissions: Option<&fs::Permissions>,
) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(PARTIAL_PREFIX).suffix(PARTIAL_SUFFIX);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Less the umask: as any new file, and not for this user alone as a temporary one.
        let mode = permissions.map_or(0o666, |permissions| permissions.mode() & 0o777);
        builder.permissions(fs::Permissions::from_mode(mode));
    }
    #[cfg(not(unix))]
    let _ = permissions;
    builder.tempfile_in(directory)
}

/// Brings the names in a directory to the disk, where system and file system have a way to.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Ok(open) = File::open(directory) {
        return match open.sync_all() {
            Err(error) if error.kind() != io::ErrorKind::InvalidInput => Err(error),
            _ => Ok(()),
        };
    }
    #[cfg(not(unix))]
    let _ = directory;
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_only_its_owner_may_read_is_never_there_for_others() {
        let directory = tempfile::tempdir().unwrap();
        let permissions = fs::Permissions::from_mode(0o100600);
        let partial = partial_in(directory.path(), Some(&permissions)).unwrap();
        let mode = partial.as_file().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }
}
