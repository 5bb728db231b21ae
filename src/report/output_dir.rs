//! A directory of results, which are of one run.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use tempfile::{Builder, TempDir};

use crate::error::{FileError, Result};
use crate::files::directory_lock::DirectoryLock;
use crate::files::regular_file::{self, RegularFile};
use crate::files::sha256;
use crate::files::whole_file::{self, PARTIAL_PREFIX, PARTIAL_SUFFIX};

/// The list of the results, in the form that `sha256sum --check` reads.
const LIST: &str = "hooked-gpt2.sha256";
/// Where the list of the results that are to go lies meanwhile, in the directory of those that are to come.
const EARLIER_LIST: &str = "hooked-gpt2.sha256.earlier";

/// Bytes that [`OutputDir::create`] writes to see whether there is room: more than most results take.
const PROBED: usize = 1 << 20;

/// A directory that results are written into, all of one run at once.
///
/// With them goes `hooked-gpt2.sha256`, which lists them: `sha256sum --check hooked-gpt2.sha256` tells whether they are
/// whole and of one run. What else is in the directory stays as it is.
#[derive(Debug, Clone)]
pub struct OutputDir {
    path: PathBuf,
}

impl OutputDir {
    /// Makes the directory where it is missing, and checks that a mebibyte can be written there: to be
    /// called before hours of work, not after.
    ///
    /// # Errors
    /// [`FileError::NoDirectory`] for an empty path, and [`FileError::Write`].
    pub fn create(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        if path.as_os_str().is_empty() {
            return Err(FileError::NoDirectory.into());
        }
        fs::create_dir_all(&path).and_then(|()| probe(&path)).map_err(not_written(&path))?;
        Ok(Self { path })
    }

    /// Writes results, each a name and what it holds, in place of those of an earlier run.
    ///
    /// They are made whole under another name first. Then the earlier results go, those among them too that have
    /// another name, unless somebody changed them since; and then the new ones come, the list of them last. So never are
    /// there results of two runs, whenever this is stopped.
    ///
    /// ```
    /// # use hooked_gpt2::report::OutputDir;
    /// # let directory = tempfile::tempdir()?;
    /// let out = OutputDir::create(directory.path().join("results"))?;
    /// out.write([("loss.csv", "layer,loss\n"), ("notes.txt", "none\n")])?;
    /// # assert_eq!(std::fs::read_dir(out.path())?.count(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`FileError::ResultName`] for a name that is not one of a file in the directory, or that two results have;
    /// [`FileError::Write`], and then the earlier results are there as they were;
    /// [`FileError::NotInPlace`], which tells where the new results are, if the last step fails.
    pub fn write<Name, Content>(
        &self,
        results: impl IntoIterator<Item = (Name, Content)>,
    ) -> Result<()>
    where
        Name: AsRef<str>,
        Content: AsRef<[u8]>,
    {
        fs::create_dir_all(&self.path).map_err(not_written(&self.path))?;
        let lock = DirectoryLock::alone(&self.path);
        let earlier = self.earlier();
        let mut builder = Builder::new();
        builder.prefix(PARTIAL_PREFIX).suffix(PARTIAL_SUFFIX);
        let partial = builder.tempdir_in(&self.path).map_err(not_written(&self.path))?;

        let (mut names, mut list) = (BTreeSet::new(), String::new());
        for (name, content) in results {
            let (name, content) = (name.as_ref(), content.as_ref());
            if !is_plain(name) || !names.insert(name.to_owned()) {
                return Err(FileError::ResultName { given: name.to_owned() }.into());
            }
            self.write_part(partial.path(), name, content)?;
            list += &format!("{}  {name}\n", sha256::of(content));
        }
        self.write_part(partial.path(), LIST, list.as_bytes())?;

        self.put_in_place(partial, &earlier, &names)?;
        if lock.is_held() {
            // Left by runs that were killed while they wrote. What cannot be removed harms nobody.
            self.partial_ones().for_each(|left| drop(fs::remove_dir_all(left)));
        }
        Ok(())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes one result into `partial`, as it is to be in the end.
    fn write_part(&self, partial: &Path, name: &str, content: &[u8]) -> Result<()> {
        let (part, path) = (partial.join(name), self.path.join(name));
        let permissions = match fs::symlink_metadata(&path) {
            // The link goes, and not what it leads to: results are in this directory.
            Ok(metadata) if metadata.is_symlink() => None,
            _ => whole_file::permissions_of(&path).map_err(not_written(&path))?,
        };
        Ok(whole_file::put(&part, content, permissions).map_err(not_written(&path))?)
    }

    fn put_in_place(
        &self,
        partial: TempDir,
        earlier: &BTreeSet<String>,
        names: &BTreeSet<String>,
    ) -> Result<()> {
        let place = || {
            // The list goes first and comes last: while it is there, all that it names are.
            let list = self.path.join(LIST);
            if_there(fs::rename(&list, partial.path().join(EARLIER_LIST)))
                .map_err(|error| (list, error))?;
            for name in earlier.union(names) {
                let path = self.path.join(name);
                if_there(fs::remove_file(&path)).map_err(|error| (path, error))?;
            }
            for name in names.iter().map(String::as_str).chain([LIST]) {
                let path = self.path.join(name);
                fs::rename(partial.path().join(name), &path).map_err(|error| (path, error))?;
            }
            whole_file::sync_directory(&self.path).map_err(|error| (self.path.clone(), error))
        };
        match place() {
            Ok(()) => Ok(()),
            Err((path, source)) => {
                Err(FileError::NotInPlace { path, kept: partial.keep(), source }.into())
            }
        }
    }

    /// The results of earlier runs that are still as they were written. Of a run that was killed while it exchanged
    /// them, the lists are where it left its own.
    fn earlier(&self) -> BTreeSet<String> {
        let left =
            self.partial_ones().flat_map(|left| [LIST, EARLIER_LIST].map(|list| left.join(list)));
        let mut earlier = BTreeSet::new();
        for list in left.chain([self.path.join(LIST)]) {
            // A pipe of that name would never end.
            let list = RegularFile::open(&list).and_then(|list| list.content(regular_file::SMALL));
            let list = list.ok().and_then(|list| String::from_utf8(list).ok()).unwrap_or_default();
            let listed = list.lines().filter_map(|line| line.split_once("  "));
            let unchanged = listed.filter(|&(digest, name)| {
                is_plain(name)
                    && RegularFile::open(&self.path.join(name))
                        .and_then(|file| sha256::of_file(&file))
                        .is_ok_and(|found| found == digest)
            });
            earlier.extend(unchanged.map(|(_, name)| name.to_owned()));
        }
        earlier
    }

    /// The directories that hold results until they are put in place.
    fn partial_ones(&self) -> impl Iterator<Item = PathBuf> {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let partial = entries.filter(|entry| {
            let name = entry.file_name();
            let name = name.as_encoded_bytes();
            name.starts_with(PARTIAL_PREFIX.as_bytes())
                && name.ends_with(PARTIAL_SUFFIX.as_bytes())
                && entry.file_type().is_ok_and(|kind| kind.is_dir())
        });
        partial.map(|entry| entry.path())
    }
}

/// What is not there need not be moved.
fn if_there(moved: io::Result<()>) -> io::Result<()> {
    match moved {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        moved => moved,
    }
}

/// Whether a file of that name is in the directory, under any system, and is a result.
fn is_plain(name: &str) -> bool {
    let mut components = Path::new(name).components();
    let is_file_name = components.next() == Some(Component::Normal(name.as_ref()));
    is_file_name
        && components.next().is_none()
        && !name.contains(|letter: char| letter.is_control() || "/\\:".contains(letter))
        && !name.starts_with(PARTIAL_PREFIX)
        && !name.starts_with(LIST)
}

fn probe(directory: &Path) -> io::Result<()> {
    let mut probe = whole_file::partial_in(directory, None)?;
    probe.as_file_mut().write_all(&[0; PROBED])?;
    probe.as_file().sync_all()?;
    probe.close()
}

fn not_written(path: &Path) -> impl Fn(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError::Write { path: path.clone(), source }
}
