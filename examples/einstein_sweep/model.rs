//! Which model runs.

use hooked_gpt2::checkpoint::{Download, DownloadProgress, Source};
use hooked_gpt2::{Checkpoint, Result};
use indicatif::{ProgressBar, ProgressStyle};

use crate::arguments::Arguments;
use crate::chain;

/// The model of the published experiment.
const PUBLISHED: &str = "gpt2-medium";

/// The model asked for; without `--model` GPT-2 Medium, and where that cannot be had the bundled
/// one.
pub fn open(arguments: &Arguments) -> Result<Checkpoint> {
    if let Some(source) = &arguments.model {
        return open_source(source, arguments.offline);
    }
    let published = Source::Hub(PUBLISHED.to_owned());
    open_source(&published, arguments.offline).or_else(|error| {
        eprintln!(
            "note: {PUBLISHED} cannot be had ({}); running on the small bundled model, whose \
             figures are its own and not the published ones",
            chain(&error)
        );
        Checkpoint::bundled()
    })
}

fn open_source(source: &Source, offline: bool) -> Result<Checkpoint> {
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
