//! What a checkpoint has, against what its configuration asks for.

use std::collections::HashSet;

use super::Weights;
use super::names::{self, Module};
use crate::config::Config;
use crate::error::{CheckpointError, Result};

/// Which weights of a checkpoint are used.
///
/// Names are Hugging Face's without the prefix `transformer.`, in the order of the model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LoadReport {
    /// Weights that the model takes.
    pub loaded: Vec<String>,
    /// Weights that the model needs and no file has. Loading fails unless this is empty.
    pub missing: Vec<String>,
    /// Tensors that the model has no place for: causal masks of old checkpoints, a copy of a tied
    /// unembedding, or something unknown.
    pub unused: Vec<String>,
    /// Weights of another shape than needed. Loading fails unless this is empty.
    pub mismatched: Vec<Mismatch>,
    /// Whether the unembedding is the checkpoint's own `lm_head.weight` although the configuration ties it to
    /// the token embedding, because the two differ: as in `transformers`, the weights win. The model's
    /// [`Config`] then says that they are not tied.
    pub untied: bool,
}

/// A weight of another shape than the configuration asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mismatch {
    /// The weight.
    pub name: String,
    /// The shape that follows from the configuration.
    pub expected: Vec<usize>,
    /// The shape in the file.
    pub found: Vec<usize>,
}

impl LoadReport {
    pub(super) fn new(config: &Config, weights: &Weights) -> Self {
        let expected = names::expected(config);
        let mut report = Self::default();
        for (name, expected) in &expected {
            match weights.shape(name) {
                None => report.missing.push(name.clone()),
                Some(found) if found == expected => report.loaded.push(name.clone()),
                Some(found) => report.mismatch(name, expected, found),
            }
        }
        let unembedding = Module::LmHead.weight();
        // A file may have as many names as fit into it, and so may a configuration ask for.
        let known: HashSet<&str> = expected.iter().map(|(name, _)| name.as_str()).collect();
        for name in weights.names().filter(|stored| !known.contains(stored)) {
            let shape = [config.d_vocab, config.d_model];
            match weights.shape(name) {
                // Of no use if it is the token embedding again, but then it has its shape.
                Some(found) if name == unembedding && found != shape => {
                    report.mismatch(name, &shape, found);
                }
                _ => report.unused.push(name.to_owned()),
            }
        }
        report
    }

    fn mismatch(&mut self, name: &str, expected: &[usize], found: &[usize]) {
        let (name, expected, found) = (name.to_owned(), expected.to_vec(), found.to_vec());
        self.mismatched.push(Mismatch { name, expected, found });
    }

    /// Takes down that the unembedding, though tied, is the checkpoint's own.
    pub(crate) fn untie(&mut self) {
        let unembedding = Module::LmHead.weight();
        self.unused.retain(|name| *name != unembedding);
        self.loaded.push(unembedding);
        self.untied = true;
    }

    /// The tensors of [`unused`](Self::unused) that are no known leftovers.
    pub fn unknown(&self) -> impl Iterator<Item = &str> {
        let tied = Module::LmHead.weight();
        let known = move |name: &&str| !names::is_buffer(name) && *name != tied;
        self.unused.iter().map(String::as_str).filter(known)
    }

    /// Fails with the first mismatch, or with all that is missing.
    pub(crate) fn check(&self, checkpoint: &str) -> Result<()> {
        let checkpoint = checkpoint.to_owned();
        if let Some(Mismatch { name, expected, found }) = self.mismatched.first().cloned() {
            return Err(
                CheckpointError::WeightShape { checkpoint, tensor: name, expected, found }.into()
            );
        }
        if !self.missing.is_empty() {
            return Err(CheckpointError::MissingWeights {
                checkpoint,
                names: self.missing.clone(),
            }
            .into());
        }
        Ok(())
    }
}
