//! Measures how the time of a sweep grows with variants, layers and positions, beside one plain run for
//! each variant, and draws it.
//!
//! ```sh
//! cargo run --release --example scaling -- path/to/gpt2-medium
//! ```

mod arguments;
mod cases;
mod depths;
#[path = "../../examples/shared/failure.rs"]
mod failure;
mod figure;
mod timing;

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use hooked_gpt2::report::OutputDir;
use hooked_gpt2::tch::{self, Device};
use hooked_gpt2::{Checkpoint, Gpt2, Precision};
use indicatif::{ProgressBar, ProgressStyle};

use arguments::Arguments;
use cases::{PATCHED_LAYERS, PATCHED_POSITIONS, PROMPT};
use depths::Depths;
use timing::Point;

const DEPTHS: usize = 6;

/// What is measured along one axis.
struct Panel {
    title: String,
    axis: &'static str,
    points: Vec<Point>,
}

fn main() -> ExitCode {
    failure::end(scale(&Arguments::parse()))
}

fn scale(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let out = OutputDir::create(&arguments.out)?;
    let panels = measure(arguments)?;
    let table = table(&panels);
    // Hours of work are printed also where they cannot be saved.
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{table}")?;
    writeln!(stdout, "f32, {} threads, {} rounds", tch::get_num_threads(), arguments.rounds)?;
    out.write([("scaling.svg", figure::draw(&panels)?), ("scaling.csv", table)])?;
    writeln!(stdout, "Written to {}", out.path().display())?;
    Ok(())
}

fn measure(arguments: &Arguments) -> Result<[Panel; 3], Box<dyn Error>> {
    let rounds = arguments.rounds;
    let checkpoint = Checkpoint::directory(&arguments.checkpoint)?;
    let n_layers = checkpoint.config().n_layers;
    let (model, _) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
    let each = |cases: Vec<cases::Case>, name: &'static str| {
        let bar = bar(name, cases.len())?;
        let points = bar.wrap_iter(cases.iter()).map(|case| timing::measure(&model, case, rounds));
        points.collect::<Result<Vec<Point>, _>>()
    };
    let by_variants = each(cases::by_variants(model.config())?, "variants")?;
    let by_positions = each(cases::by_positions(&model)?, "positions")?;
    drop(model);

    let mut depths = Depths::of(&arguments.checkpoint)?;
    let mut layers: Vec<usize> = (1..=DEPTHS).map(|it| (it * n_layers / DEPTHS).max(1)).collect();
    layers.dedup();
    let bar = bar("layers", layers.len())?;
    let by_layers = bar.wrap_iter(layers.iter()).map(|&n_layers| {
        let (model, _) = Gpt2::load(&depths.cut(n_layers)?, Precision::F32, Device::Cpu)?;
        timing::measure(&model, &cases::every_layer(model.config())?, rounds)
    });
    let by_layers = by_layers.collect::<Result<Vec<Point>, _>>()?;
    let grid = PATCHED_LAYERS.min(n_layers) * PATCHED_POSITIONS;
    Ok([
        Panel {
            title: format!("heads ablated, {PROMPT} tokens"),
            axis: "variants",
            points: by_variants,
        },
        Panel {
            title: format!("each layer scaled, {PROMPT} tokens"),
            axis: "layers",
            points: by_layers,
        },
        Panel {
            title: format!("resid_pre patched, {grid} variants"),
            axis: "positions",
            points: by_positions,
        },
    ])
}

fn bar(name: &'static str, len: usize) -> Result<ProgressBar, Box<dyn Error>> {
    let style = ProgressStyle::with_template("{msg:9} {wide_bar} {pos}/{len}")?;
    Ok(ProgressBar::new(len as u64).with_style(style).with_message(name))
}

/// What is drawn, and the rows of blocks that both ways take.
fn table(panels: &[Panel]) -> String {
    let mut csv =
        String::from("axis,at,variants,one_run_each,sweep,naive_block_rows,block_rows,passes\n");
    for panel in panels {
        for point in &panel.points {
            let Point { at, n_variants, one_run_each, sweep, block_rows, .. } = point;
            let Point { naive_block_rows, passes, .. } = point;
            let _ = writeln!(
                csv,
                "{},{at},{n_variants},{one_run_each:.2},{sweep:.2},{naive_block_rows},{block_rows},{passes}",
                panel.axis,
            );
        }
    }
    csv
}
