//! Leaves out each block, and each run of blocks, and says what that costs (after Lad et al. 2024, arXiv:2406.19384).
//!
//! ```sh
//! cargo run --release --example skip_layer
//! ```

#[path = "shared/laboratory.rs"]
mod laboratory;

use std::process::ExitCode;

use clap::Parser;
use hooked_gpt2::analysis::uncertainty::Interval;
use hooked_gpt2::experiment::Verdict;
use hooked_gpt2::hook::Positions;
use hooked_gpt2::report::{Column, DataTable, Report};
use hooked_gpt2::sweep::{KlDivergence, NextTokenLoss, Sweep, TopTokenChanged, Variants};
use ndarray::Array2;

use laboratory::{Laboratory, Options, Outcome};

/// Leave out each block, and each run of blocks: what breaks?
#[derive(Debug, Parser)]
#[command(max_term_width = 80)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    laboratory::main("skip_layer", |arguments: &Arguments| &arguments.options, experiment)
}

fn experiment(_: &Arguments, laboratory: &Laboratory<'_>) -> Outcome<Report> {
    let (model, prompts) = (&laboratory.model, laboratory.texts()?);
    let (batch, n_layers) = (prompts.batch()?, model.config().n_layers);
    let mut report = laboratory.report(
        "Blocks left out",
        "What does each block cost that is skipped?",
        &prompts,
    )?;

    // All runs of blocks, single ones among them: at every position, how much likelier or less likely the next token of
    // the text becomes, and how far the prediction moves. The first positions of all of them share their computation.
    let variants = Variants::skipped_runs(model.config(), &batch)?;
    let plan = Sweep::new(model, &batch).score(Positions::all()).plan(&variants)?;
    let metrics = [&NextTokenLoss as _, &KlDivergence as _, &TopTokenChanged as _];
    let results = plan.measure_with_progress(&metrics, &mut laboratory.progress()?)?;
    let over_prompts = |change: bool, metric: &str| match change {
        true => results.mean_change(metric, 0.95, 2000, 0),
        false => results.mean(metric, 0.95, 2000, 0),
    };
    let losses = over_prompts(true, "next_token_loss")?;
    let (divergences, changed) =
        (over_prompts(false, "kl_divergence")?, over_prompts(false, "top_token_changed")?);

    // Runs are ordered by their lengths: the single blocks come first.
    let columns = [
        Column::integer("block"),
        Column::signed("change of loss (nats)", 3),
        Column::signed("low", 3),
        Column::signed("high", 3),
        Column::number("KL (nats)", 3),
        Column::percent("other likeliest token", 0),
    ];
    let mut table = DataTable::new("by_block", columns);
    for layer in 0..n_layers {
        let Interval { mean, low, high, .. } = losses[[layer]];
        let (kl, changed) = (divergences[[layer]].mean, changed[[layer]].mean);
        table.row([
            layer.into(),
            mean.into(),
            low.into(),
            high.into(),
            kl.into(),
            changed.into(),
        ])?;
    }
    report.heading("One block left out");
    let n_prompts = prompts.len();
    report.table(format!("Means over {n_prompts} texts with 95 % bootstrap intervals"), table);

    let others = (1..n_layers).map(|layer| losses[[layer]].high).fold(f64::NEG_INFINITY, f64::max);
    let first = losses[[0]];
    let verdict = match (n_prompts > 2 && n_layers > 1, first.low > others) {
        (false, _) => Verdict::CannotBeTold,
        (true, true) => Verdict::Holds,
        (true, false) => Verdict::DoesNotHold,
    };
    report.claim(
        "The first block is the one that cannot be spared",
        verdict,
        format!(
            "Without block 0 the loss rises by {:+.2} nats ({:+.2} to {:+.2}); the interval of no other block ends above {others:+.2}.",
            first.mean, first.low, first.high
        ),
    );

    // The run from one block to another, as a square of which half is filled.
    let mut grid = Array2::from_elem((n_layers, n_layers), f64::NAN);
    let mut runs = DataTable::new(
        "by_run",
        [
            Column::integer("first block"),
            Column::integer("last block"),
            Column::signed("change of loss (nats)", 3),
        ],
    );
    let all = (1..=n_layers)
        .flat_map(|len| (0..=n_layers - len).map(move |first| (first, first + len - 1)));
    for (number, (first, last)) in all.enumerate() {
        grid[[first, last]] = losses[[number]].mean;
        runs.row([first.into(), last.into(), losses[[number]].mean.into()])?;
    }
    report.heading("Runs of blocks left out");
    #[cfg(feature = "plot")]
    {
        let layers: Vec<String> = (0..n_layers).map(|layer| layer.to_string()).collect();
        let map = hooked_gpt2::report::figure::HeatMap {
            title: "Blocks left out, from the first to the last".to_owned(),
            quantity: "change of loss (nats)".to_owned(),
            rows: ("first block left out", &layers),
            columns: ("last block left out", &layers),
            values: grid.view(),
            ..Default::default()
        };
        report.figure("runs", "The mean change of the loss for each run of blocks", map.to_svg()?);
    }
    report.table("The same in numbers", runs);
    Ok(report)
}
