//! The tensors of a description, in a safetensors file beside it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use safetensors::tensor::{Dtype, TensorView, serialize};
use tch::{Device, Kind, Tensor};

use super::digest::Digest;
use crate::checkpoint::SafetensorsFile;
use crate::error::{CheckpointError, Error, FileError, InterventionError, Result};
use crate::files::directory_lock::DirectoryLock;
use crate::files::regular_file::RegularFile;
use crate::files::whole_file;

/// Tensors on their way into a file.
pub(super) struct TensorsToStore<'a> {
    /// The text that they belong to.
    text: &'a Path,
    tensors: Vec<Stored>,
}

struct Stored {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    data: Vec<u8>,
}

impl<'a> TensorsToStore<'a> {
    /// None yet, for a file beside the text at `text`.
    pub fn beside(text: &'a Path) -> Self {
        Self { text, tensors: Vec::new() }
    }

    pub fn add(&mut self, name: &str, tensor: &Tensor) -> Result<()> {
        let (kind, name) = (tensor.f_kind()?, name.to_owned());
        let dtype = match kind {
            Kind::Float => Dtype::F32,
            Kind::Half => Dtype::F16,
            Kind::BFloat16 => Dtype::BF16,
            Kind::Double => Dtype::F64,
            other => {
                let (path, given) = (beside(self.text, None), format!("{other:?}"));
                return Err(CheckpointError::StoredKind { path, tensor: name, given }.into());
            }
        };
        let mut data = vec![0; tensor.numel() * kind.elt_size_in_bytes()];
        tensor.f_copy_data_u8(&mut data, tensor.numel())?;
        let shape = tensor.size().into_iter().map(|len| len as usize).collect();
        self.tensors.push(Stored { name, dtype, shape, data });
        Ok(())
    }

    /// The file, if there is anything to store.
    pub fn file(self) -> Result<Option<TensorsFile>> {
        if self.tensors.is_empty() {
            return Ok(None);
        }
        let views = self.tensors.iter().map(|Stored { name, dtype, shape, data }| {
            Ok((name, TensorView::new(*dtype, shape.clone(), data)?))
        });
        let content = views.collect::<Result<Vec<_>, _>>().and_then(|views| serialize(views, None));
        let content = content.map_err(|source| {
            Error::File(FileError::Write {
                path: beside(self.text, None),
                source: io::Error::other(source),
            })
        })?;
        let digest = Digest::of(&content);
        Ok(Some(TensorsFile { path: beside(self.text, Some(&digest)), digest, content }))
    }
}

/// A file of tensors that is to be written.
pub(super) struct TensorsFile {
    pub path: PathBuf,
    pub digest: Digest,
    pub content: Vec<u8>,
}

/// The stored tensors of a text.
pub(super) struct StoredTensors {
    path: PathBuf,
    device: Device,
    file: Option<SafetensorsFile>,
}

impl StoredTensors {
    /// Those of the text at `text`, for a model on `device`. Of a text that names the digest of its tensors they are
    /// checked at once. A text without a digest was written by hand: its file is opened when the first
    /// tensor is read, for most edits need none.
    pub fn of(text: &Path, digest: Option<&Digest>, device: Device) -> Result<Self> {
        let path = beside(text, digest);
        let file = digest.map(|needed| open_checked(&path, text, needed)).transpose()?;
        Ok(Self { path, device, file })
    }

    /// The tensor stored as `name`, of the kind in which it is stored.
    pub fn read(&mut self, name: &str) -> Result<Tensor> {
        let file = match &mut self.file {
            Some(file) => file,
            closed => closed.insert(SafetensorsFile::open(&self.path)?),
        };
        if file.shape(name).is_none() {
            let (path, given) = (self.path.clone(), name.to_owned());
            return Err(InterventionError::NoSuchTensor {
                path,
                given,
                stored: file.names().join(", "),
            }
            .into());
        }
        Ok(file.read_stored(name)?.f_to_device(self.device)?)
    }
}

/// Opens the file, and stays with it: whoever saves in the meantime replaces files, and does not write into them.
fn open_checked(path: &Path, text: &Path, needed: &Digest) -> Result<SafetensorsFile> {
    let file = match (RegularFile::open(path), whole_file::behind_links(text)) {
        // Beside a link to the text there need be none to its tensors.
        (Err(Error::File(FileError::NotFound { .. })), Ok(behind)) if behind != text => {
            RegularFile::open(&beside(&behind, Some(needed)))
        }
        (opened, _) => opened,
    }?;
    let given = Digest::of_file(&file)?;
    if given != *needed {
        let (path, given, needed) = (path.to_owned(), given.to_string(), needed.to_string());
        return Err(InterventionError::OtherTensors { path, given, needed }.into());
    }
    SafetensorsFile::of(file)
}

/// Removes the files of tensors of earlier saves: all whose digest does not stand in the text at `text`. There are some
/// behind a save that took other tensors, and behind one that was stopped half-way.
pub(super) fn remove_earlier(text: &Path) {
    let directory = whole_file::directory_of(text);
    // Tensors are written before the text that names them: not while somebody is in between.
    let Some(_alone) = DirectoryLock::try_alone(directory) else { return };
    let named = match fs::symlink_metadata(text) {
        Ok(metadata) if metadata.is_file() => fs::read(text),
        // No text, or what can be none.
        Ok(_) => Ok(Vec::new()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    };
    let (Ok(named), Ok(entries)) = (named, fs::read_dir(directory)) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(digits) = digits_of(&name, text) else { continue };
        if !named.windows(digits.len()).any(|window| window == digits) {
            // What cannot be removed harms nobody.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The digits of a digest in the name of a file of tensors of the text at `text`; none for any other file.
fn digits_of<'n>(name: &'n OsStr, text: &Path) -> Option<&'n [u8]> {
    let behind = name.as_encoded_bytes().strip_prefix(text.file_name()?.as_encoded_bytes())?;
    let digits = behind.strip_prefix(b".")?.strip_suffix(EXTENSION.as_bytes())?;
    Digest::is_short(digits).then_some(digits)
}

const EXTENSION: &str = ".safetensors";

/// The file of tensors of the text at `text`. The whole name is kept, so that no other file's tensors are ever
/// replaced: those of a `model.toml` beside a `model.safetensors`, or of the same edits in the other format.
fn beside(text: &Path, digest: Option<&Digest>) -> PathBuf {
    let mut name = text.as_os_str().to_owned();
    if let Some(digest) = digest {
        name.push(".");
        name.push(digest.short());
    }
    name.push(EXTENSION);
    PathBuf::from(name)
}
