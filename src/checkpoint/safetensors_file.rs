//! One safetensors file, on disk or embedded.

use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use tch::{Device, Kind, Tensor};

use crate::error::{CheckpointError, Error, Result, shown};
use crate::files::regular_file::{self, RegularFile};
use crate::files::sha256;

/// Length of the field in front of the header that holds the header's length.
const LENGTH_FIELD: usize = 8;
/// How a text begins that git LFS leaves in the place of a file that was not fetched.
const LFS_POINTER: &[u8; LENGTH_FIELD] = b"version ";

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

    /// Of all that the file holds.
    pub fn sha256(&self) -> Result<String> {
        match &self.content {
            Content::OnDisk(file) => sha256::of_file(file),
            Content::Embedded(bytes) => Ok(sha256::of(bytes)),
        }
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
        if length == *LFS_POINTER {
            return Err(damaged("a pointer of git LFS, which `git lfs pull` replaces".to_owned()));
        }
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

    /// Reads the weight stored as `name` as `kind` on `device`.
    ///
    /// # Errors
    /// Those of [`read_stored`](Self::read_stored), and [`CheckpointError::NotFinite`].
    pub fn read(&self, name: &str, kind: Kind, device: Device) -> Result<Tensor> {
        let stored = self.read_stored(name)?;
        self.check_finite(name, &stored, kind)?;
        Ok(stored.f_to_device(device)?.f_to_kind(kind)?)
    }

    /// Checks that all numbers of `tensor`, on the CPU as it was read, are finite in `kind`. Nothing that a run of
    /// others computes means anything, and later nobody could tell which weight it was.
    fn check_finite(&self, name: &str, tensor: &Tensor, kind: Kind) -> Result<()> {
        let stored = tensor.f_kind()?;
        let bytes = memory(tensor, tensor.numel() * stored.elt_size_in_bytes());
        let Some(index) = first_not_finite(bytes, stored, kind) else { return Ok(()) };
        let mut rest = index;
        let mut place = Vec::new();
        for size in tensor.size().into_iter().rev() {
            place.push(rest % size as usize);
            rest /= size as usize;
        }
        place.reverse();
        let entry = tensor.f_view([-1])?.f_double_value(&[index as i64])?;
        Err(CheckpointError::NotFinite {
            path: self.path.clone(),
            tensor: name.to_owned(),
            place,
            given: entry,
            precision: if kind == Kind::Double { "f64" } else { "f32" },
        }
        .into())
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
        self.content.fill(memory_mut(tensor, to - from), self.data_start as usize + from)
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

/// The `len` bytes of a contiguous tensor on the CPU.
fn memory(tensor: &Tensor, len: usize) -> &[u8] {
    if len == 0 {
        return &[];
    }
    // SAFETY: it is called for tensors that were allocated by `read_stored` for exactly so many bytes.
    unsafe { std::slice::from_raw_parts(tensor.data_ptr().cast::<u8>(), len) }
}

/// The same, to be written.
fn memory_mut(tensor: &mut Tensor, len: usize) -> &mut [u8] {
    // SAFETY: the tensor was allocated just now, contiguous, on the CPU, for exactly the elements that `Metadata`
    // has checked to take `len` bytes, and nobody else has it.
    unsafe { std::slice::from_raw_parts_mut(tensor.data_ptr().cast::<u8>(), len) }
}

/// Where the first number is that is NaN or infinite in `kind`.
fn first_not_finite(bytes: &[u8], stored: Kind, kind: Kind) -> Option<usize> {
    match stored {
        Kind::Float => position(bytes, |bits| u32::from_le_bytes(bits) << 1 >= 0xff << 24),
        Kind::Half => position(bytes, |bits| u16::from_le_bytes(bits) << 1 >= 0x1f << 11),
        Kind::BFloat16 => position(bytes, |bits| u16::from_le_bytes(bits) << 1 >= 0xff << 8),
        _ if kind == Kind::Double => position(bytes, |bits| !f64::from_le_bytes(bits).is_finite()),
        _ => position(bytes, |bits| !(f64::from_le_bytes(bits) as f32).is_finite()),
    }
}

/// Where the first number is that `is_wanted`.
fn position<const BYTES: usize>(
    bytes: &[u8],
    is_wanted: impl Fn([u8; BYTES]) -> bool,
) -> Option<usize> {
    const BLOCK: usize = 1 << 12;
    let (numbers, _) = bytes.as_chunks::<BYTES>();
    // Whole blocks without a branch: several numbers at once.
    let block = numbers
        .chunks(BLOCK)
        .position(|block| block.iter().fold(false, |found, &number| found | is_wanted(number)))?;
    let within = numbers[block * BLOCK..].iter().position(|&number| is_wanted(number))?;
    Some(block * BLOCK + within)
}
