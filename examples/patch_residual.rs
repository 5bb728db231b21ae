//! Patches the residual stream of a clean run into a corrupted one, layer by layer, and says how much of
//! a word that brings back.
//!
//! ```sh
//! cargo run --release --example patch_residual
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
use hooked_gpt2::analysis::loss::negative_log_likelihood;
use hooked_gpt2::data::Bos;
use hooked_gpt2::hook::{At, HookRegistry, NoHooks, Positions, Site};
use hooked_gpt2::intervention::Interventions;
use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, tch::Device};

use threads::Threads;
use usage::parse;

const BOS: Bos = Bos::Omit;
const CLEAN: &str = "She was a very happy";
const CORRUPTED: &str = "He was a very happy";
const TARGET: &str = " woman";

/// Patch a clean run into a corrupted one, layer by layer, and say how much of a word that brings back
#[derive(Parser)]
#[command(max_term_width = 80)]
struct Arguments {
    #[command(flatten)]
    threads: Threads,
}

fn main() -> ExitCode {
    match parse::<Arguments>() {
        Ok(arguments) => arguments.threads.run(patch),
        Err(code) => code,
    }
}

fn patch() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    let checkpoint = Checkpoint::bundled()?;
    let (model, _report) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
    let tokenizer = checkpoint.tokenizer()?;
    let clean = Batch::single(BOS.encode(CLEAN, tokenizer)?)?;
    let corrupted = Batch::single(BOS.encode(CORRUPTED, tokenizer)?)?;
    let target = tokenizer.single_token(TARGET)?;
    let loss = |prompt: &Batch, hooks: &dyn HookRegistry| {
        let output = model.run(prompt).hooks(hooks).unembed(Positions::last()).execute()?;
        negative_log_likelihood(output.logits.last(0)?.view(), target)
    };

    // What enters each block of the clean run.
    let layers = 0..model.config().n_layers;
    let sites = layers.clone().map(Site::resid_pre);
    let kept = model.run(&clean).capture(sites).without_logits().execute()?.activations;

    let (with, without) = (loss(&clean, &NoHooks)?, loss(&corrupted, &NoHooks)?);
    writeln!(
        out,
        "Loss of {TARGET:?}: {with:.3} nats after {CLEAN:?},\n{without:.3} after {CORRUPTED:?}; BOS: {BOS}\n"
    )?;
    writeln!(out, "layer   loss  brought back by its clean input at the last position")?;
    for layer in layers {
        let last = kept.get(Site::resid_pre(layer), 0)?.f_get(-1)?;
        let mut hooks = Interventions::new();
        hooks.set(At::resid_pre(layer).positions(Positions::last()), &last)?;
        let patched = loss(&corrupted, &hooks)?;
        let share = (without - patched) / (without - with);
        let bar = "#".repeat((40.0 * share).round().max(0.0) as usize);
        writeln!(out, "{layer:>5}  {patched:.3}  {:>4.0} %  {bar}", 100.0 * share)?;
    }
    Ok(())
}
