//! Interventions as a text, TOML or JSON, with their tensors beside it.

mod digest;
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

use self::digest::Digest;
use self::format::Format;
use self::hook::HookDescription;
use self::tensors::{StoredTensors, TensorsFile, TensorsToStore};
use super::Interventions;
use crate::error::{Error, FileError, InterventionError, Result};
use crate::files::directory_lock::DirectoryLock;
use crate::files::regular_file::{self, RegularFile};
use crate::files::whole_file;

/// How often tensors are looked for that the text names and that are not there. Each further time takes a save that
/// came in between.
const MOST_TRIES: usize = 100;

/// What the text says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    skip: BTreeSet<usize>,
    /// Of the file of tensors, if it was saved with the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tensors_sha256: Option<Digest>,
    /// In execution order, those of one site in the order in which they apply.
    #[serde(default, rename = "hook", skip_serializing_if = "Vec::is_empty")]
    hooks: Vec<HookDescription>,
}

/// Writes the text to `path` and the tensors, if there are any, beside it.
///
/// The tensors come first, under a name that no other tensors have, and then the text, which names them; those of the
/// text that was there before go last. So at each moment there is a text with its tensors.
pub(super) fn save(interventions: &Interventions, path: &Path) -> Result<()> {
    let format = Format::of(path)?;
    let not_written = |source| FileError::Write { path: path.to_owned(), source };
    let text_path = whole_file::behind_links(path).map_err(not_written)?;
    // The tensors get them, too: each save has a new file of tensors, and who may not read the old one may not read that.
    let permissions = whole_file::permissions_of(&text_path).map_err(not_written)?;
    let mut tensors = TensorsToStore::beside(&text_path);
    let mut hooks = Vec::new();
    for (index, hook) in interventions.in_order().into_iter().enumerate() {
        hooks.push(HookDescription::of(hook, &format!("hook.{index}"), &mut tensors)?);
    }
    let tensors = tensors.file()?;
    let tensors_sha256 = tensors.as_ref().map(|tensors| tensors.digest.clone());
    let skip = interventions.skipped().clone();
    let text = format.write(&Description { skip, tensors_sha256, hooks }, path)?;
    // What is saved can be loaded.
    let (size, allowed) = (text.len() as u64, regular_file::SMALL);
    if size > allowed {
        return Err(FileError::TooLarge { path: path.to_owned(), size, allowed }.into());
    }

    let saving = DirectoryLock::shared(whole_file::directory_of(&text_path));
    let written = match tensors {
        Some(TensorsFile { path, content, .. }) => {
            whole_file::write_with(&path, &content, permissions)
        }
        None => Ok(()),
    };
    let written = written.and_then(|()| whole_file::write(path, text));
    drop(saving);
    tensors::remove_earlier(&text_path);
    written
}

/// Reads what [`save`] wrote, and checks what the constructors of the edits check.
pub(super) fn load(path: &Path, device: Device) -> Result<Interventions> {
    let format = Format::of(path)?;
    let mut tries = 0;
    let (description, mut tensors) = loop {
        let description = read(path, format)?;
        match StoredTensors::of(path, description.tensors_sha256.as_ref(), device) {
            // Somebody saved in the meantime, and the text names other tensors now.
            Err(Error::File(FileError::NotFound { .. })) if tries < MOST_TRIES => tries += 1,
            tensors => break (description, tensors?),
        }
    };
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

fn read(path: &Path, format: Format) -> Result<Description> {
    let content = RegularFile::open(path)?.content(regular_file::SMALL)?;
    let text = String::from_utf8(content).map_err(|error| {
        let source = std::io::Error::new(std::io::ErrorKind::InvalidData, error.utf8_error());
        Error::File(FileError::Read { path: path.to_owned(), source })
    })?;
    format.read(&text, path)
}
