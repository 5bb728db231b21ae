//! Runs an experiment again from its manifest, and says how far the new numbers lie from the old ones.
//!
//! ```sh
//! cargo build --release --examples
//! cargo run --release --example replay -- target/logit_lens/manifest.json
//! ```

#[path = "shared/failure.rs"]
mod failure;
#[path = "shared/usage.rs"]
mod usage;

use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use clap::Parser;
use hooked_gpt2::report::{Manifest, Report};

/// Run an experiment again from its manifest, and compare
#[derive(Debug, Parser)]
#[command(max_term_width = 80)]
struct Arguments {
    /// The manifest, beside the results that it is of
    manifest: PathBuf,
    /// How far two numbers may lie apart
    #[arg(long, default_value_t = 0.0)]
    tolerance: f64,
}

fn main() -> ExitCode {
    match usage::parse() {
        Ok(arguments) => failure::end(replay(&arguments)),
        Err(code) => code,
    }
}

fn replay(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let manifest = Manifest::read(&arguments.manifest)?;
    let directory = arguments.manifest.parent().unwrap_or(".".as_ref());
    let old = Report::read(directory.join(&manifest.report))?;

    // Experiments are programs that lie beside this one.
    let program = env::current_exe()?.with_file_name(format!(
        "{}{}",
        manifest.program,
        env::consts::EXE_SUFFIX
    ));
    if manifest.program.contains(['/', '\\']) || !program.is_file() {
        let given = &manifest.program;
        return Err(format!(
            "no program {given:?} beside this one; `cargo build --release --examples` builds all"
        )
        .into());
    }
    let again = tempfile::tempdir()?;
    let mut command = Command::new(program);
    command.args(without_out(&manifest.arguments)).arg("--out").arg(again.path());
    if manifest.directory.is_dir() {
        command.current_dir(&manifest.directory);
    }
    let status = command.stdout(Stdio::null()).status()?;
    if !status.success() {
        return Err(format!("{} failed: {status}", manifest.program).into());
    }
    let (new, new_manifest) = (
        Report::read(again.path().join(&manifest.report))?,
        Manifest::read(again.path().join("manifest.json"))?,
    );
    for (what, then, now) in [
        ("hooked-gpt2", &manifest.version, &new_manifest.version),
        ("system", &manifest.system, &new_manifest.system),
    ] {
        if then != now {
            println!("{what}: {then} then, {now} now");
        }
    }
    if manifest.weights != new_manifest.weights {
        println!("the weights are not those of then");
    }
    let difference = old.difference(&new);
    print!("{difference}");
    let is_same =
        manifest.weights == new_manifest.weights && difference.is_within(arguments.tolerance);
    Ok(if is_same { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The arguments but for where the results go.
fn without_out(arguments: &[String]) -> Vec<&String> {
    let mut kept = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--out" => drop(arguments.next()),
            given if given.starts_with("--out=") => {}
            _ => kept.push(argument),
        }
    }
    kept
}
