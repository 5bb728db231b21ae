//! Which model runs.

use std::error::Error;

use hooked_gpt2::Checkpoint;
use hooked_gpt2::checkpoint::Source;

use crate::arguments::Arguments;
use crate::failure::{chain, say};
use crate::source;

/// The model of the published experiment.
const PUBLISHED: &str = "gpt2-medium";

/// The model asked for; without `--model` GPT-2 Medium, and where that cannot be had the bundled
/// one.
pub fn open(arguments: &Arguments) -> Result<Checkpoint, Box<dyn Error>> {
    if let Some(given) = &arguments.model {
        return source::open_named(given, arguments.offline);
    }
    let published = Source::Hub(PUBLISHED.to_owned());
    let published = source::open(&published, arguments.offline).or_else(|error| {
        say(format!(
            "note: {PUBLISHED} cannot be had ({}); running on the small bundled model, whose \
             figures are its own and not the published ones",
            chain(&error)
        ));
        Checkpoint::bundled()
    });
    Ok(published?)
}
