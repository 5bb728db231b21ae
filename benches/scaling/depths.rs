//! A checkpoint, cut to its first blocks.

use std::error::Error;
use std::fs;
use std::path::Path;

use hooked_gpt2::Checkpoint;
use tempfile::TempDir;

const CONFIG: &str = "config.json";

/// The weights of a checkpoint beside a configuration that can be changed: a loader has no use for the
/// blocks beyond those that are asked for, and leaves them in the file.
pub struct Depths {
    config: serde_json::Value,
    beside: TempDir,
}

impl Depths {
    pub fn of(directory: &Path) -> Result<Self, Box<dyn Error>> {
        let config = serde_json::from_slice(&fs::read(directory.join(CONFIG))?)?;
        let beside = tempfile::tempdir()?;
        for entry in fs::read_dir(directory)? {
            let name = entry?.file_name();
            if name.to_string_lossy().contains(".safetensors") {
                // The hub's cache holds links that lead nowhere from elsewhere.
                let file = fs::canonicalize(directory.join(&name))?;
                let place = beside.path().join(&name);
                if fs::hard_link(&file, &place).is_err() {
                    fs::copy(&file, &place)?;
                }
            }
        }
        Ok(Self { config, beside })
    }

    /// The model of the first `n_layers` blocks.
    pub fn cut(&mut self, n_layers: usize) -> Result<Checkpoint, Box<dyn Error>> {
        self.config["n_layer"] = n_layers.into();
        fs::write(self.beside.path().join(CONFIG), self.config.to_string())?;
        Ok(Checkpoint::directory(self.beside.path())?)
    }
}
