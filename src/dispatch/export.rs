//! Activations in files that other programs read.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use tch::{Device, TchError, Tensor};

use super::Activations;
use crate::error::{CaptureError, Error, Result};
use crate::files::whole_file;
use crate::layout::SegmentId;

/// Writes tensors by name into a file.
type Write = fn(&[(String, Tensor)], &Path) -> io::Result<()>;

/// How the last record of a ZIP file begins, and how long it is where nobody comments.
const ZIP_END: &[u8; 4] = b"PK\x05\x06";
const ZIP_END_LENGTH: u64 = 22;

impl Activations {
    /// All that was captured, each tensor under a name: `0/blocks.3.attn.hook_z` for sequence 0 of the batch. A
    /// [`Capture`](crate::hook::Capture) adds what it asked for: `0/blocks.3.attn.hook_z before edits at positions last
    /// (norm)`. Of the largest entries there are `… values` and `… indices`, of moments `… mean`, `… variance` and
    /// `… count`.
    ///
    /// # Shapes
    /// - those of [`get`](Self::get); on the CPU, with numbers one after the other
    ///
    /// # Errors
    /// [`Error::Torch`].
    pub fn tensors(&self) -> Result<Vec<(String, Tensor)>> {
        let mut named = Vec::new();
        for sequence in 0..self.n_sequences {
            for captured in &self.captures {
                let spec = &captured.spec;
                let parts = captured.of(SegmentId(sequence), |kept, row| spec.parts(kept, row))?;
                for (part, tensor) in parts.into_iter().flatten() {
                    let tensor = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_contiguous()?;
                    named.push((format!("{sequence}/{spec:#}{part}"), tensor));
                }
            }
        }
        Ok(named)
    }

    /// Saves all [tensors](Self::tensors) in one file, whose extension says in which form: `npz`, which NumPy reads, or
    /// `safetensors`, which PyTorch, JAX and NumPy read by the package of that name. An earlier file is replaced by a
    /// whole one or stays.
    ///
    /// ```
    /// # use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, hook::Site, tch::Device};
    /// # let checkpoint = Checkpoint::bundled()?;
    /// # let (model, _) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path().join("kept.npz");
    /// let batch = Batch::single(checkpoint.tokenizer()?.encode("It was the best of")?)?;
    /// let run = model.run(&batch).capture([Site::z(3), Site::pattern(3)]).without_logits();
    /// run.execute()?.activations.save(path)?; // numpy.load("kept.npz")["0/blocks.3.attn.hook_z"]
    /// # Ok::<(), hooked_gpt2::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::UnknownName`] for another extension, [`CaptureError::NothingToSave`] where nothing was captured, and
    /// [`FileError::Write`](crate::error::FileError::Write).
    #[doc(alias = "numpy")]
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let extension = path.extension().unwrap_or_default();
        let write: Write = match extension.to_str() {
            Some("npz") => write_npz,
            Some("safetensors") => {
                |tensors, path| Tensor::write_safetensors(tensors, path).map_err(io_error)
            }
            _ => {
                return Err(Error::UnknownName {
                    what: "the file extension",
                    given: extension.to_string_lossy().into_owned(),
                    allowed: "npz, safetensors".to_owned(),
                });
            }
        };
        let tensors = self.tensors()?;
        if tensors.is_empty() {
            return Err(CaptureError::NothingToSave.into());
        }
        whole_file::write_by(path, |partial| write(&tensors, partial))
    }
}

/// Writes a ZIP file of arrays. `tch` says nothing where the end of it could not be written.
fn write_npz(tensors: &[(String, Tensor)], path: &Path) -> io::Result<()> {
    Tensor::write_npz(tensors, path).map_err(io_error)?;
    check_end(path)
}

/// Checks that a ZIP file has its end.
fn check_end(path: &Path) -> io::Result<()> {
    let mut end = [0; ZIP_END.len()];
    let mut file = File::open(path)?;
    let is_whole = file
        .seek(SeekFrom::End(-(ZIP_END_LENGTH as i64)))
        .and_then(|_| file.read_exact(&mut end))
        .is_ok_and(|()| end == *ZIP_END);
    if is_whole { Ok(()) } else { Err(io::Error::other("the end of the file is missing")) }
}

fn io_error(error: TchError) -> io::Error {
    match error {
        TchError::Io(error) => error,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_npz_whose_end_is_missing_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kept.npz");
        let tensor = Tensor::f_from_slice(&[1.0, 2.0, 3.0]).unwrap();
        write_npz(&[("a".to_owned(), tensor)], &path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for len in [0, 10, whole.len() - 23, whole.len() - 1] {
            std::fs::write(&path, &whole[..len]).unwrap();
            assert!(check_end(&path).is_err(), "{len} of {} bytes", whole.len());
        }
    }
}
