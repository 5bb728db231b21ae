//! From the arguments to what is printed and saved.

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use hooked_gpt2::experiment::einstein::{EinsteinReport, EinsteinSweep};
use hooked_gpt2::report::{OutputDir, write_json};
use hooked_gpt2::sweep::Progress;
use hooked_gpt2::{Checkpoint, Gpt2, Result, device};
use indicatif::{ProgressBar, ProgressStyle};

use crate::arguments::Arguments;
use crate::failure::say;
use crate::usage::parse;
use crate::{model, tables};

/// What runs the experiment, telling how far it has come.
type Method = fn(
    &EinsteinSweep,
    &Checkpoint,
    &Gpt2,
    &mut dyn FnMut(Progress) -> bool,
) -> Result<EinsteinReport>;

pub fn main(method: Method) -> ExitCode {
    let arguments: Arguments = match parse() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    arguments.threads.run(|| run(&arguments, method))
}

fn run(arguments: &Arguments, method: Method) -> Result<(), Box<dyn Error>> {
    let device = device::parse(&arguments.device)?;
    let out = OutputDir::create(&arguments.out)?;
    let checkpoint = model::open(arguments)?;
    let (gpt2, loaded) = Gpt2::load(&checkpoint, arguments.dtype, device)?;
    for name in loaded.unknown() {
        say(format!("note: `{name}` in the checkpoint is not a weight of GPT-2 and was not used"));
    }
    if loaded.untied {
        say(
            "note: the checkpoint has an unembedding of its own, which was used, though its config ties it",
        );
    }

    let bar = ProgressBar::new(0);
    bar.set_style(ProgressStyle::with_template("{wide_bar} {percent} %, {eta} left")?);
    let mut show = |progress: Progress| {
        bar.set_length(progress.total as u64);
        bar.set_position(progress.done as u64);
        true
    };
    let report = method(&arguments.experiment(), &checkpoint, &gpt2, &mut show)?;
    bar.finish_and_clear();

    // Saved first: whoever closes the pipe early still has the files. And printed also where it cannot be saved.
    let mut json = Vec::new();
    write_json(&mut json, &report)?;
    let saved = save(&out, &report, &json);
    let printed = print(arguments, &report, &json, saved.is_ok().then(|| out.path()));
    saved?;
    Ok(printed?)
}

fn print(
    arguments: &Arguments,
    report: &EinsteinReport,
    json: &[u8],
    saved: Option<&Path>,
) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    if arguments.json {
        return stdout.write_all(json);
    }
    tables::write(&mut stdout, report)?;
    match saved {
        Some(directory) => writeln!(stdout, "\nWritten to {}", directory.display()),
        None => Ok(()),
    }
}

fn save(out: &OutputDir, report: &EinsteinReport, json: &[u8]) -> Result<(), Box<dyn Error>> {
    let mut csv = Vec::new();
    tables::write_csv(&mut csv, report)?;
    let files = [("sweep.csv", csv), ("sweep.json", json.to_owned())].into_iter();
    #[cfg(feature = "plot")]
    let files = files.chain(crate::figures::draw(report)?.map(|(name, svg)| (name, svg.into())));
    Ok(out.write(files)?)
}
