//! Steers a continuation along the direction between two activations, by more and more of it.
//!
//! ```sh
//! cargo run --release --example steer
//! ```

#[path = "shared/failure.rs"]
mod failure;
#[path = "shared/threads.rs"]
mod threads;
#[path = "shared/usage.rs"]
mod usage;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use hooked_gpt2::hook::{At, Capture, Positions, Site};
use hooked_gpt2::intervention::Interventions;
use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, tch::Device};

use threads::Threads;
use usage::parse;

const TOWARDS: &str = "She was a very happy woman";
const AWAY_FROM: &str = "He was a very angry man";
const PROMPT: &str = "It was the best of";
const LAYER: usize = 5;
const NEW_TOKENS: usize = 12;

/// Steer a continuation along the direction between two activations, by more and more of it
#[derive(Parser)]
#[command(max_term_width = 80)]
struct Arguments {
    #[command(flatten)]
    threads: Threads,
}

fn main() -> ExitCode {
    match parse::<Arguments>() {
        Ok(arguments) => arguments.threads.run(steer),
        Err(code) => code,
    }
}

fn steer() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    let checkpoint = Checkpoint::bundled()?;
    let (model, _report) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
    let tokenizer = checkpoint.tokenizer()?;

    // The direction: what leaves the layer behind the last word of one text, less that of the other.
    let texts = Batch::new([tokenizer.encode(TOWARDS)?, tokenizer.encode(AWAY_FROM)?])?;
    let last = Capture::new(Site::resid_post(LAYER)).positions(Positions::last());
    let kept = model.run(&texts).capture([&last]).without_logits().execute()?.activations;
    let direction = kept.get(&last, 0)?.f_sub(&kept.get(&last, 1)?)?;

    writeln!(out, "{PROMPT:?}, steered at layer {LAYER} towards {TOWARDS:?}")?;
    writeln!(out, "and away from {AWAY_FROM:?}\n")?;
    let prompt = Batch::single(tokenizer.encode(PROMPT)?)?;
    for coefficient in [0.0, 1.0, 2.0, 4.0, -2.0] {
        let mut hooks = Interventions::new();
        hooks.steer(At::resid_post(LAYER), &direction, coefficient)?;
        let steered = model.generate(&prompt, NEW_TOKENS).hooks(&hooks).execute()?;
        writeln!(out, "{coefficient:>4}  {:?}", tokenizer.decode(&steered.tokens[0])?)?;
    }
    Ok(())
}
