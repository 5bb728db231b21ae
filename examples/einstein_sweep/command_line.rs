//! From the arguments to what is printed and saved.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use hooked_gpt2::experiment::einstein::{EinsteinReport, EinsteinSweep};
use hooked_gpt2::report::{OutputDir, write_json};
use hooked_gpt2::sweep::Progress;
use hooked_gpt2::{Checkpoint, Gpt2, Result, device};
use indicatif::{ProgressBar, ProgressStyle};

use crate::arguments::Arguments;
use crate::failure::{chain, is_broken_pipe};
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
    let arguments = match parse() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    match run(arguments, method) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", chain(&*error));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments, method: Method) -> Result<(), Box<dyn Error>> {
    let device = device::parse(&arguments.device)?;
    let out = OutputDir::create(&arguments.out)?;
    let checkpoint = model::open(&arguments)?;
    let (gpt2, loaded) = Gpt2::load(&checkpoint, arguments.dtype, device)?;
    for name in loaded.unknown() {
        eprintln!("note: `{name}` in the checkpoint is not a weight of GPT-2 and was not used");
    }
    if loaded.untied {
        eprintln!(
            "note: the checkpoint has an unembedding of its own, which was used, though its config ties it"
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

    // Saved first: whoever closes the pipe early still has the files.
    let mut json = Vec::new();
    write_json(&mut json, &report)?;
    save(&out, &report, &json)?;
    let mut stdout = io::stdout().lock();
    if arguments.json {
        stdout.write_all(&json)?;
    } else {
        tables::write(&mut stdout, &report)?;
        writeln!(stdout, "\nWritten to {}", out.path().display())?;
    }
    Ok(())
}

fn save(out: &OutputDir, report: &EinsteinReport, json: &[u8]) -> Result<(), Box<dyn Error>> {
    let mut csv = Vec::new();
    tables::write_csv(&mut csv, report)?;
    // All drawn before the first file is written: there are all files or none.
    #[cfg(feature = "plot")]
    let figures = crate::figures::draw(report)?;
    out.write("sweep.csv", csv)?;
    out.write("sweep.json", json)?;
    #[cfg(feature = "plot")]
    for (name, svg) in figures {
        out.write(name, svg)?;
    }
    Ok(())
}
