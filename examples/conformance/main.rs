//! Checks on a model of yours what holds for every GPT-2, and fails if something does not.
//!
//! ```sh
//! cargo run --release --example conformance
//! cargo run --release --example conformance -- --model path/to/gpt2-medium --dtype f64
//! ```

mod arguments;
#[path = "../shared/failure.rs"]
mod failure;
#[path = "../shared/source.rs"]
mod source;
#[path = "../shared/threads.rs"]
mod threads;
#[path = "../shared/usage.rs"]
mod usage;

use std::io::{self, Write};
use std::process::ExitCode;

use hooked_gpt2::{conformance, device};
use indicatif::{ProgressBar, ProgressStyle};

use arguments::Arguments;
use usage::parse;

fn main() -> ExitCode {
    let arguments: Arguments = match parse() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    arguments.threads.run(|| check(&arguments))
}

/// Succeeds if every identity holds.
fn check(arguments: &Arguments) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let device = device::parse(&arguments.device)?;
    let checkpoint = source::open_named(&arguments.model, arguments.offline)?;
    let bar = ProgressBar::new(0);
    bar.set_style(ProgressStyle::with_template("{wide_bar} {pos}/{len} parts, {eta} left")?);
    let found = conformance::check(&checkpoint, arguments.dtype, device, |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();

    let mut stdout = io::stdout().lock();
    if arguments.json {
        serde_json::to_writer_pretty(&mut stdout, &found).map_err(io::Error::from)?;
        writeln!(stdout)?;
    } else {
        writeln!(stdout, "{found}")?;
    }
    Ok(if found.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
