//! Interventions as a text, TOML or JSON, with their tensors beside it.

mod edit;
mod format;
mod hook;
mod positions;
mod seed;
mod tensors;

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tch::Device;

use self::format::Format;
use self::hook::HookDescription;
use self::tensors::{StoredTensors, TensorsToStore};
use super::Interventions;
use crate::error::{Error, FileError, InterventionError, Result};
use crate::regular_file::{self, RegularFile};
use crate::whole_file;

/// What the text says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    skip: BTreeSet<usize>,
    /// In execution order, those of one site in the order in which they apply.
    #[serde(default, rename = "hook", skip_serializing_if = "Vec::is_empty")]
    hooks: Vec<HookDescription>,
}

/// Writes the text to `path` and the tensors, if there are any, beside it.
pub(super) fn save(interventions: &Interventions, path: &Path) -> Result<()> {
    let format = Format::of(path)?;
    let mut tensors = TensorsToStore::beside(path);
    let mut hooks = Vec::new();
    for (index, hook) in interventions.in_order().into_iter().enumerate() {
        hooks.push(HookDescription::of(hook, &format!("hook.{index}"), &mut tensors)?);
    }
    let description = Description { skip: interventions.skipped().clone(), hooks };
    let text = format.write(&description, path)?;
    // What is saved can be loaded.
    let (size, allowed) = (text.len() as u64, regular_file::SMALL);
    if size > allowed {
        return Err(FileError::TooLarge { path: path.to_owned(), size, allowed }.into());
    }
    // The tensors first: a text never stands beside tensors that are still to come.
    tensors.write()?;
    whole_file::write(path, text)
}

/// Reads what [`save`] wrote, and checks what the constructors of the edits check.
pub(super) fn load(path: &Path, device: Device) -> Result<Interventions> {
    let format = Format::of(path)?;
    let content = RegularFile::open(path)?.content(regular_file::SMALL)?;
    let text = String::from_utf8(content).map_err(|error| {
        let source = std::io::Error::new(std::io::ErrorKind::InvalidData, error.utf8_error());
        Error::File(FileError::Read { path: path.to_owned(), source })
    })?;
    let description: Description = format.read(&text, path)?;
    let mut tensors = StoredTensors::beside(path, device);
    let mut interventions = Interventions::new();
    for (index, hook) in description.hooks.into_iter().enumerate() {
        let described = hook.into_hook(&mut tensors).map_err(|source| {
            Error::Intervention(InterventionError::DescribedHook {
                path: path.to_owned(),
                index,
                source: Box::new(source),
            })
        })?;
        interventions.add(described);
    }
    for layer in description.skip {
        interventions.skip(layer);
    }
    Ok(interventions)
}
