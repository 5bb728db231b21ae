//! One safetensors file, on disk or embedded.

use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use tch::{Device, Kind, Tensor};

use crate::error::{CheckpointError, Error, Result, shown};
use crate::regular_file::{self, RegularFile};

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
    OnDisk(RegularFile),
    Embedded(&'static [u8]),
}

impl Content {
    fn size(&self) -> u64 {
        match self {
            Self::OnDisk(file) => file.size(),
            Self::Embedded(bytes) => bytes.len() as u64,
        }
    }

    /// Fills `bytes` with what lies `from` bytes behind the beginning.
    fn fill(&self, bytes: &mut [u8], from: usize) -> Result<()> {
        match self {
            Self::OnDisk(file) => file.fill(bytes, from as u64),
            Self::Embedded(content) => {
                let piece = content.get(from..).and_then(|rest| rest.get(..bytes.len()));
                let beyond = || Error::Bug("a tensor beyond the end of its file".to_owned());
                bytes.copy_from_slice(piece.ok_or_else(beyond)?);
                Ok(())
            }
        }
    }
}

impl SafetensorsFile {
    pub fn open(path: &Path) -> Result<Self> {
        Self::of(RegularFile::open(path)?)
    }

    /// A file that is open.
    pub fn of(file: RegularFile) -> Result<Self> {
        Self::new(file.path().to_owned(), Content::OnDisk(file))
    }

    pub fn embedded(content: &'static [u8], path: &Path) -> Result<Self> {
        Self::new(path.to_owned(), Content::Embedded(content))
    }

    /// Reads the header alone: a file of many gigabytes opens at once.
    fn new(path: PathBuf, content: Content) -> Result<Self> {
        let damaged = |reason: String| {
            Error::Checkpoint(CheckpointError::Safetensors { path: path.clone(), reason })
        };
        let size = content.size();
        let mut length = [0; LENGTH_FIELD];
        if size < LENGTH_FIELD as u64 {
            return Err(damaged(format!("{size} bytes are too few for a header")));
        }
        content.fill(&mut length, 0)?;
        let header_length = u64::from_le_bytes(length);
        let data_start = header_length.saturating_add(LENGTH_FIELD as u64);
        if data_start > size {
            let reason = format!("a header of {header_length} bytes in a file of {size}");
            return Err(damaged(reason));
        }
        if header_length > regular_file::SMALL {
            let allowed = regular_file::SMALL;
            let reason = format!("a header of {header_length} bytes, allowed: {allowed}");
            return Err(damaged(reason));
        }
        let mut header = vec![0; header_length as usize];
        content.fill(&mut header, LENGTH_FIELD)?;
        // Offsets without gap and overlap, and sizes that are those of the shapes, are checked here, too.
        let metadata: Metadata =
            serde_json::from_slice(&header).map_err(|reason| damaged(reason.to_string()))?;
        // It does not check that all of them together can be counted.
        let described = data_start.checked_add(metadata.data_len() as u64);
        if described != Some(size) {
            let data = metadata.data_len();
            let reason = format!(
                "the header describes {data} bytes of tensors, the file has {}",
                size - data_start
            );
            return Err(damaged(reason));
        }
        Ok(Self { path, metadata, data_start, content })
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
        let stored = self.stored_kind(name, info)?;
        let mut shape = Vec::with_capacity(info.shape.len());
        for &size in &info.shape {
            // Of a tensor without entries, any size could be claimed.
            shape.push(i64::try_from(size).map_err(|_| {
                let name = shown(name);
                let reason = format!("a size of `{name}` is {size}, allowed: up to {}", i64::MAX);
                CheckpointError::Safetensors { path: self.path.clone(), reason }
            })?);
        }
        let mut tensor = Tensor::f_empty(&shape, (stored, Device::Cpu))?;
        self.read_into(&mut tensor, info)?;
        Ok(tensor)
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
        self.content.fill(memory, self.data_start as usize + from)
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
