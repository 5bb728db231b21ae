//! The weights of a checkpoint, spread over one file or several.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;

use tch::{Device, Kind, Tensor};

use super::names::{self, Module};
use super::safetensors_file::SafetensorsFile;
use crate::error::{CheckpointError, Error, Result};
use crate::files::regular_file::RegularFile;

/// Weights by canonical name.
#[derive(Debug)]
pub(crate) struct Weights {
    files: Vec<SafetensorsFile>,
    /// Canonical name to the index of its file and the name there.
    index: BTreeMap<String, (usize, String)>,
}

impl Weights {
    /// Those of files that are all open.
    pub fn files(files: Vec<RegularFile>) -> Result<Self> {
        Self::new(files.into_iter().map(SafetensorsFile::of).collect::<Result<_>>()?)
    }

    pub fn embedded(content: &'static [u8], path: &Path) -> Result<Self> {
        Self::new(vec![SafetensorsFile::embedded(content, path)?])
    }

    fn new(files: Vec<SafetensorsFile>) -> Result<Self> {
        let mut index = BTreeMap::<_, (usize, String)>::new();
        for (number, file) in files.iter().enumerate() {
            for stored in file.names() {
                match index.entry(names::canonical(&stored).to_owned()) {
                    Entry::Vacant(entry) => {
                        entry.insert((number, stored));
                    }
                    Entry::Occupied(first) => {
                        let (first, other) = first.get();
                        return Err(CheckpointError::WeightTwice {
                            path: file.path().to_owned(),
                            tensor: stored,
                            other_path: files[*first].path().to_owned(),
                            other: other.clone(),
                        }
                        .into());
                    }
                }
            }
        }
        Ok(Self { files, index })
    }

    /// Takes the unembedding for the token embedding where that one is missing: of two tied weights, a file may
    /// hold either.
    pub fn tie(&mut self) {
        let embedding = Module::Wte.weight();
        if !self.index.contains_key(&embedding)
            && let Some(stored) = self.index.remove(&Module::LmHead.weight())
        {
            self.index.insert(embedding, stored);
        }
    }

    /// Canonical names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.index.keys().map(String::as_str)
    }

    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        let (file, stored) = self.index.get(name)?;
        self.files[*file].shape(stored)
    }

    /// The SHA-256 of each file, by its name.
    pub fn sha256(&self) -> Result<BTreeMap<String, String>> {
        let name = |file: &SafetensorsFile| {
            file.path().file_name().unwrap_or_default().to_string_lossy().into_owned()
        };
        self.files.iter().map(|file| Ok((name(file), file.sha256()?))).collect()
    }

    /// Reads one weight.
    pub fn read(&self, name: &str, kind: Kind, device: Device) -> Result<Tensor> {
        let missing = || {
            Error::Checkpoint(CheckpointError::MissingWeights {
                checkpoint: "the checkpoint".to_owned(),
                names: vec![name.to_owned()],
            })
        };
        let (file, stored) = self.index.get(name).ok_or_else(missing)?;
        self.files[*file].read(stored, kind, device)
    }
}
