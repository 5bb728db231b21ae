//! One safetensors file, on disk or in memory.

use std::borrow::Cow;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use tch::{Device, Kind, Tensor};

use crate::error::{CheckpointError, Error, FileError, Result};

/// Length of the field in front of the header that holds the header's length.
const LENGTH_FIELD: usize = 8;

/// A safetensors file whose header is read and checked.
#[derive(Debug)]
pub(crate) struct SafetensorsFile {
    path: PathBuf,
    metadata: Metadata,
    /// Where the first tensor begins.
    data_start: u64,
    content: Content,
}

#[derive(Debug)]
enum Content {
    OnDisk,
    InMemory(Cow<'static, [u8]>),
}

impl SafetensorsFile {
    pub fn open(path: &Path) -> Result<Self> {
        let read_error = |source| Error::File(FileError::Read { path: path.to_owned(), source });
        let mut file = open(path)?;
        let size = file.metadata().map_err(read_error)?.len();
        let (metadata, data_start) = header(&mut file, size, path)?;
        Ok(Self { path: path.to_owned(), metadata, data_start, content: Content::OnDisk })
    }

    /// A file that was read already; `path` is only named in errors.
    pub fn in_memory(content: impl Into<Cow<'static, [u8]>>, path: &Path) -> Result<Self> {
        let content = content.into();
        let size = content.len() as u64;
        let (metadata, data_start) = header(&mut &*content, size, path)?;
        let content = Content::InMemory(content);
        Ok(Self { path: path.to_owned(), metadata, data_start, content })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names as stored.
    pub fn names(&self) -> Vec<String> {
        self.metadata.offset_keys()
    }

    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.metadata.info(name).map(|info| &info.shape[..])
    }

    /// Reads the tensor stored as `name` as `kind` on `device`.
    pub fn read(&self, name: &str, kind: Kind, device: Device) -> Result<Tensor> {
        Ok(self.read_stored(name)?.f_to_device(device)?.f_to_kind(kind)?)
    }

    /// Reads the tensor stored as `name` as it is, onto the CPU.
    ///
    /// The bytes go from the file into the tensor's own memory, once: loading costs one copy of
    /// the file, in time and in memory.
    pub fn read_stored(&self, name: &str) -> Result<Tensor> {
        let missing = || {
            Error::Checkpoint(CheckpointError::MissingWeights {
                checkpoint: self.path.display().to_string(),
                names: vec![name.to_owned()],
            })
        };
        let info = self.metadata.info(name).ok_or_else(missing)?;
        let shape: Vec<i64> = info.shape.iter().map(|&size| size as i64).collect();
        let stored = self.stored_kind(name, info)?;
        match &self.content {
            Content::InMemory(content) => {
                let start = self.data_start as usize;
                let (from, to) = info.data_offsets;
                Ok(Tensor::f_from_data_size(&content[start + from..start + to], &shape, stored)?)
            }
            Content::OnDisk => {
                let mut tensor = Tensor::f_empty(&shape, (stored, Device::Cpu))?;
                self.read_into(&mut tensor, info)?;
                Ok(tensor)
            }
        }
    }

    fn read_into(&self, tensor: &mut Tensor, info: &TensorInfo) -> Result<()> {
        let (from, to) = info.data_offsets;
        if from == to {
            return Ok(());
        }
        // SAFETY: the tensor was allocated just now, contiguous, on the CPU, for exactly the
        // elements that `Metadata` has checked to take `to - from` bytes, and nobody else has it.
        let memory =
            unsafe { std::slice::from_raw_parts_mut(tensor.data_ptr().cast::<u8>(), to - from) };
        let mut file = open(&self.path)?;
        file.seek(SeekFrom::Start(self.data_start + from as u64))
            .and_then(|_| file.read_exact(memory))
            .map_err(|source| Error::File(FileError::Read { path: self.path.clone(), source }))
    }

    fn stored_kind(&self, name: &str, info: &TensorInfo) -> Result<Kind> {
        match info.dtype {
            Dtype::F32 => Ok(Kind::Float),
            Dtype::F16 => Ok(Kind::Half),
            Dtype::BF16 => Ok(Kind::BFloat16),
            Dtype::F64 => Ok(Kind::Double),
            other => Err(CheckpointError::StoredKind {
                path: self.path.clone(),
                tensor: name.to_owned(),
                given: format!("{other:?}"),
            }
            .into()),
        }
    }
}

/// Reads the header alone, and where the first tensor begins: a file of many gigabytes opens at once.
fn header(reader: &mut dyn Read, size: u64, path: &Path) -> Result<(Metadata, u64)> {
    let damaged = |reason: String| {
        Error::Checkpoint(CheckpointError::Safetensors { path: path.to_owned(), reason })
    };
    let read_error = |source| Error::File(FileError::Read { path: path.to_owned(), source });
    let mut length = [0; LENGTH_FIELD];
    if size < LENGTH_FIELD as u64 {
        return Err(damaged(format!("{size} bytes are too few for a header")));
    }
    reader.read_exact(&mut length).map_err(read_error)?;
    let header_length = u64::from_le_bytes(length);
    let data_start = header_length.saturating_add(LENGTH_FIELD as u64);
    if data_start > size {
        let reason = format!("a header of {header_length} bytes in a file of {size}");
        return Err(damaged(reason));
    }
    let mut header = vec![0; header_length as usize];
    reader.read_exact(&mut header).map_err(read_error)?;
    let metadata: Metadata =
        serde_json::from_slice(&header).map_err(|reason| damaged(reason.to_string()))?;
    let described = data_start + metadata.data_len() as u64;
    if described != size {
        let reason = format!("the header describes {described} bytes, the file has {size}");
        return Err(damaged(reason));
    }
    Ok((metadata, data_start))
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => Error::File(FileError::NotFound { path: path.to_owned() }),
        _ => Error::File(FileError::Read { path: path.to_owned(), source }),
    })
}
