//! Scales the residual stream leaving one layer of GPT-2 after another, and watches one word.
//!
//! ```sh
//! cargo run --release --example einstein_sweep
//! cargo run --release --example einstein_sweep -- --model path/to/gpt2-medium --scale 0.8
//! ```

mod arguments;
#[path = "../shared/failure.rs"]
mod failure;
mod model;
#[path = "../shared/source.rs"]
mod source;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use hooked_gpt2::error::FileError;
use hooked_gpt2::experiment::einstein::{EinsteinReport, EinsteinSweep};
use hooked_gpt2::report::{self, OutputDir};
use hooked_gpt2::{Gpt2, device};
use indicatif::{ProgressBar, ProgressStyle};

use arguments::Arguments;
use failure::{chain, is_broken_pipe};

fn main() -> ExitCode {
    match sweep(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", chain(&*error));
            ExitCode::FAILURE
        }
    }
}

fn sweep(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let device = device::parse(&arguments.device)?;
    let out = OutputDir::create(&arguments.out)?;
    let checkpoint = model::open(&arguments)?;
    let experiment = EinsteinSweep {
        prompt: arguments.prompt,
        target: arguments.target,
        scale: arguments.scale,
        layers: arguments.layers.and_then(|layers| layers.0),
        focus_layer: arguments.focus_layer,
        top_k: arguments.top_k,
    };
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
    let report = experiment.run(checkpoint.name(), &gpt2, checkpoint.tokenizer()?, |progress| {
        bar.set_length(progress.total as u64);
        bar.set_position(progress.done as u64);
    })?;
    bar.finish_and_clear();

    let mut json = Vec::new();
    report::write_json(&mut json, &report)?;
    // Saved first: whoever closes the pipe early still has the files.
    save(&out, &report, &json)?;
    let mut stdout = io::stdout().lock();
    if arguments.json {
        stdout.write_all(&json)?;
    } else {
        introduce(&mut stdout, &report, &gpt2)?;
        report::write_text(&mut stdout, &report)?;
        writeln!(stdout, "\nWritten to {}", out.path().display())?;
    }
    Ok(())
}

/// What runs where.
fn introduce(out: &mut impl Write, report: &EinsteinReport, gpt2: &Gpt2) -> io::Result<()> {
    let model = &report.model;
    writeln!(
        out,
        "Model {}: {} layers, {} heads, d_model {}, {} tokens; {} on {}",
        model.name,
        model.n_layers,
        model.n_heads,
        model.d_model,
        model.d_vocab,
        gpt2.precision(),
        device::name(gpt2.device())
    )?;
    let tokens = report.prompt_tokens.len();
    writeln!(out, "Prompt {:?}: {tokens} tokens\n", report.prompt)
}

fn save(out: &OutputDir, report: &EinsteinReport, json: &[u8]) -> hooked_gpt2::Result<()> {
    let mut csv = Vec::new();
    report::write_csv(&mut csv, report).map_err(|source| {
        hooked_gpt2::Error::File(FileError::Write { path: out.path().join("sweep.csv"), source })
    })?;
    #[cfg(feature = "plot")]
    let figures = report::figure::einstein(report)?;
    out.write("sweep.csv", csv)?;
    out.write("sweep.json", json)?;
    #[cfg(feature = "plot")]
    for (name, svg) in figures {
        out.write(name, svg)?;
    }
    Ok(())
}
