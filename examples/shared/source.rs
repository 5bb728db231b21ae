//! Opens the model that the command line names.

use std::error::Error;

use hooked_gpt2::checkpoint::{Download, DownloadProgress, Source};
use hooked_gpt2::{Checkpoint, Result};
use indicatif::{ProgressBar, ProgressStyle};

/// The model, with a bar while it is downloaded.
pub fn open(source: &Source, offline: bool) -> Result<Checkpoint> {
    if offline {
        return Checkpoint::open(source, Download::Off);
    }
    let bar = ProgressBar::no_length();
    if let Ok(style) =
        ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}")
    {
        bar.set_style(style);
    }
    let mut show = |progress: DownloadProgress<'_>| {
        bar.set_message(progress.file.to_owned());
        bar.set_length(progress.bytes_total as u64);
        bar.set_position(progress.bytes_done as u64);
    };
    let checkpoint = Checkpoint::open(source, Download::Reporting(&mut show));
    bar.finish_and_clear();
    checkpoint
}

/// The same of what a user named, with a word on what else the name may have meant.
pub fn open_named(source: &Source, offline: bool) -> Result<Checkpoint, Box<dyn Error>> {
    open(source, offline).map_err(|error| match source {
        Source::Hub(name) if !name.contains('/') => format!(
            "{error:#}; a directory is given as {:?}, this crate's own model as \"bundled\"",
            format!("./{name}")
        )
        .into(),
        _ => error.into(),
    })
}
