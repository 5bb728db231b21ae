//! The tensors of a description, in the safetensors file beside it.

use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorView, serialize};
use tch::{Device, Kind, Tensor};

use crate::checkpoint::SafetensorsFile;
use crate::error::{CheckpointError, Error, FileError, InterventionError, Result};
use crate::whole_file;

/// Tensors on their way into a file.
pub(super) struct TensorsToStore {
    path: PathBuf,
    tensors: Vec<Stored>,
}

struct Stored {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    data: Vec<u8>,
}

impl TensorsToStore {
    /// None yet, for the file beside the text at `path`.
    pub fn beside(path: &Path) -> Self {
        Self { path: beside(path), tensors: Vec::new() }
    }

    pub fn add(&mut self, name: &str, tensor: &Tensor) -> Result<()> {
        let (kind, name) = (tensor.f_kind()?, name.to_owned());
        let dtype = match kind {
            Kind::Float => Dtype::F32,
            Kind::Half => Dtype::F16,
            Kind::BFloat16 => Dtype::BF16,
            Kind::Double => Dtype::F64,
            other => {
                let (path, given) = (self.path.clone(), format!("{other:?}"));
                return Err(CheckpointError::StoredKind { path, tensor: name, given }.into());
            }
        };
        let mut data = vec![0; tensor.numel() * kind.elt_size_in_bytes()];
        tensor.f_copy_data_u8(&mut data, tensor.numel())?;
        let shape = tensor.size().into_iter().map(|len| len as usize).collect();
        self.tensors.push(Stored { name, dtype, shape, data });
        Ok(())
    }

    /// Writes the file, if there is anything to store.
    pub fn write(self) -> Result<()> {
        if self.tensors.is_empty() {
            return Ok(());
        }
        let views = self.tensors.iter().map(|Stored { name, dtype, shape, data }| {
            Ok((name, TensorView::new(*dtype, shape.clone(), data)?))
        });
        let content = views.collect::<Result<Vec<_>, _>>().and_then(|views| serialize(views, None));
        let content = content.map_err(|source| {
            Error::File(FileError::Write {
                path: self.path.clone(),
                source: std::io::Error::other(source),
            })
        })?;
        whole_file::write(&self.path, content)
    }
}

/// The file of stored tensors, opened when the first is read: most edits need none.
pub(super) struct StoredTensors {
    path: PathBuf,
    device: Device,
    file: Option<SafetensorsFile>,
}

impl StoredTensors {
    /// The file beside the text at `path`, for a model on `device`.
    pub fn beside(path: &Path, device: Device) -> Self {
        Self { path: beside(path), device, file: None }
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

/// The whole name is kept, so that no other file's tensors are ever replaced: those of a
/// `model.toml` beside a `model.safetensors`, or of the same edits in the other format.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".safetensors");
    PathBuf::from(name)
}
