//! Sets each attention head in turn to its mean over other prompts, and says which of them a word depends on.
//!
//! ```sh
//! cargo run --release --example ablate_heads
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
use hooked_gpt2::hook::Site;
use hooked_gpt2::report::{Align, Table};
use hooked_gpt2::sweep::{DeltaLoss, Metric, Replacement, Sweep, Variants};
use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, tch::Device};

use threads::Threads;
use usage::parse;

const BOS: Bos = Bos::Omit;
const PROMPT: &str = "It was the best of";
// Each as long as the prompt, so that each position has its own mean.
const REFERENCE: [&str; 6] = [
    "The king was very angry",
    "They were in the house",
    "I am so glad that",
    "She had never been so",
    "He opened the door and",
    "My father was not a",
];
const TARGET: &str = " the";

/// Silence each attention head in turn, and say which of them a word depends on
#[derive(Parser)]
#[command(max_term_width = 80)]
struct Arguments {
    #[command(flatten)]
    threads: Threads,
}

fn main() -> ExitCode {
    match parse::<Arguments>() {
        Ok(arguments) => arguments.threads.run(ablate),
        Err(code) => code,
    }
}

fn ablate() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    let checkpoint = Checkpoint::bundled()?;
    let (model, _report) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
    let tokenizer = checkpoint.tokenizer()?;
    let prompt = Batch::single(BOS.encode(PROMPT, tokenizer)?)?;
    let change = DeltaLoss::of(tokenizer.single_token(TARGET)?);

    // One variant for each head, in which what it reads from other positions (`z`) is what it reads on average.
    let (n_layers, n_heads) = (model.config().n_layers, model.config().n_heads);
    let reference = REFERENCE.map(|text| BOS.encode(text, tokenizer)).into_iter();
    let reference = Batch::new(reference.collect::<hooked_gpt2::Result<Vec<_>>>()?)?;
    let means = model.run(&reference).mean_by_position((0..n_layers).map(Site::z))?;
    let variants = Variants::ablated_heads(model.config(), Replacement::Mean(&means), &prompt)?;
    let results = Sweep::new(&model, &prompt).plan(&variants)?.measure(&[&change])?;
    let changes = results.values(change.name())?; // [layer, head, sequence, position]

    writeln!(
        out,
        "Loss of {TARGET:?} after {PROMPT:?} with one head at its mean,\nless that with all of them (nats); BOS: {BOS}\n"
    )?;
    let heads = (0..n_heads).map(|head| format!("head {head}"));
    let headings = ["layer".to_owned()].into_iter().chain(heads);
    let mut table = Table::new(headings.map(|heading| (heading, Align::Right)));
    let mut worst = (0, 0);
    for layer in 0..n_layers {
        let of_heads = (0..n_heads).map(|head| format!("{:+.3}", changes[[layer, head, 0, 0]]));
        table.row([layer.to_string()].into_iter().chain(of_heads));
        for head in 0..n_heads {
            if changes[[layer, head, 0, 0]] > changes[[worst.0, worst.1, 0, 0]] {
                worst = (layer, head);
            }
        }
    }
    writeln!(out, "{table}\nThe word depends most on head {} of layer {}.", worst.1, worst.0)?;
    Ok(())
}
