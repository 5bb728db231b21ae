//! Scales the residual stream leaving one layer of GPT-2 after another, and watches one word.
//!
//! ```sh
//! cargo run --release --example einstein_sweep
//! cargo run --release --example einstein_sweep -- --model path/to/gpt2-medium --scale 0.8
//! ```

use std::process::ExitCode;

use hooked_gpt2::analysis::{correlation::pearson, loss::log_softmax, rank::rank_of};
use hooked_gpt2::experiment::einstein::{EinsteinReport, EinsteinSweep, Question, Watched};
use hooked_gpt2::intervention::LayerScaling;
use hooked_gpt2::sweep::{Axis, Progress, Sweep, Variants};
use hooked_gpt2::{Checkpoint, Gpt2, Result};

fn main() -> ExitCode {
    command_line::main(sweep)
}

/// The method, step by step. `EinsteinSweep::run` is the same in one call.
fn sweep(
    asked: &EinsteinSweep,
    checkpoint: &Checkpoint,
    model: &Gpt2,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<EinsteinReport> {
    // What is asked, in this model's tokens and layers.
    let question = Question::new(asked, model, checkpoint.tokenizer()?)?;
    let (prompt, target, layers) = (&question.prompt, question.target, &question.layers);

    // A run for each layer, whose hooks are a dictionary layer -> factor: the hidden state that leaves the
    // layer is scaled by the factor.
    let dictionary = |index: &[usize], _sequence| {
        let mut factors = LayerScaling::new();
        factors.insert(layers[index[0]], asked.scale)?;
        Ok(factors)
    };
    let variants = Variants::over([Axis::new("layer", layers)], dictionary, prompt)?;

    // The clean run is the base of all of them. They go through the model side by side, and what they
    // share with it is computed once.
    let plan = Sweep::new(model, prompt).plan(&variants)?;

    // Read behind the last token, of the clean run and of each layer's: how unlikely the target is, how
    // many tokens are likelier, and how far the logits kept the clean ones' shape.
    let mut predictions = question.predictions();
    let read = plan.read_with_progress(
        |run| {
            let loss = -log_softmax(run.logits)?[target as usize];
            let rank = rank_of(run.logits, target)?;
            let pearson = pearson(run.base, run.logits).ok(); // none if all logits are equal
            predictions.take(run, Watched { loss, rank, pearson })
        },
        progress,
    );
    read.map_err(|error| question.explain(error))?;

    // The report, with the published findings held against it.
    predictions.conclude(checkpoint.name(), &plan)
}

// The command line, the tables and the drawing.
mod arguments;
mod command_line;
#[path = "../shared/failure.rs"]
mod failure;
#[cfg(feature = "plot")]
mod figures;
mod model;
#[path = "../shared/source.rs"]
mod source;
mod tables;
#[path = "../shared/threads.rs"]
mod threads;
#[path = "../shared/usage.rs"]
mod usage;
