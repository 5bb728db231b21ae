//! Steers a continuation along the direction between two sets of prompts, by more and more of it.
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
use hooked_gpt2::data::Bos;
use hooked_gpt2::hook::{At, Capture, Positions, Site};
use hooked_gpt2::intervention::Interventions;
use hooked_gpt2::lens::SteeringVector;
use hooked_gpt2::report::{Align, Table};
use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, tch::Device};

use threads::Threads;
use usage::parse;

const BOS: Bos = Bos::Omit;
const TOWARDS: [&str; 3] =
    ["She was a good woman", "The girl and her mother", "Her sister was a lady"];
const AWAY_FROM: [&str; 3] =
    ["He was a good man", "The boy and his father", "His brother was a lord"];
const OTHERS: [[&str; 2]; 2] = [
    ["The lady took her hat", "The queen had her crown"],
    ["The gentleman took his hat", "The king had his crown"],
];
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

    // The direction: what leaves the layer behind the last word of some texts, less that of others.
    let batch = |texts: &[&str]| {
        let texts = texts.iter().map(|text| BOS.encode(text, tokenizer));
        Batch::new(texts.collect::<hooked_gpt2::Result<Vec<_>>>()?)
    };
    let (towards, away_from) = (batch(&TOWARDS)?, batch(&AWAY_FROM)?);
    let last = Capture::new(Site::resid_post(LAYER)).positions(Positions::last());
    let vector = SteeringVector::of_pairs(&model, &last, &towards, &away_from)?;
    writeln!(out, "{vector}")?;
    let others = vector.separation_of(&model, &batch(&OTHERS[0])?, &batch(&OTHERS[1])?)?;
    writeln!(out, "of {} other pairs: AUROC {:.3}\n", OTHERS[0].len(), others.auroc)?;

    writeln!(out, "{PROMPT:?}, steered at layer {LAYER}; BOS: {BOS}\n")?;
    let mut pairs = Table::new([("towards", Align::Left), ("away from", Align::Left)]);
    for (towards, away_from) in TOWARDS.iter().zip(AWAY_FROM) {
        pairs.row([format!("{towards:?}"), format!("{away_from:?}")]);
    }
    writeln!(out, "{pairs}")?;
    let prompt = Batch::single(BOS.encode(PROMPT, tokenizer)?)?;
    for coefficient in [0.0, 1.0, 2.0, 4.0, -2.0] {
        let mut hooks = Interventions::new();
        hooks.steer(At::resid_post(LAYER), &vector.direction, coefficient)?;
        let steered = model.generate(&prompt, NEW_TOKENS).hooks(&hooks).execute()?;
        writeln!(out, "{coefficient:>4}  {:?}", tokenizer.decode(&steered.tokens[0])?)?;
    }
    let mut hooks = Interventions::new();
    hooks.project_out(At::resid_post(LAYER), &vector.direction)?;
    let without = model.generate(&prompt, NEW_TOKENS).hooks(&hooks).execute()?;
    writeln!(out, " out  {:?}", tokenizer.decode(&without.tokens[0])?)?;
    Ok(())
}
