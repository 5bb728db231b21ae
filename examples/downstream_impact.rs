//! Scales what leaves an early block, and follows norm and direction of the stream through the later ones.
//!
//! ```sh
//! cargo run --release --example downstream_impact
//! cargo run --release --example downstream_impact -- --layer 4 --factors 0.5,2
//! ```

#[path = "shared/laboratory.rs"]
mod laboratory;

use std::process::ExitCode;

use clap::Parser;
use hooked_gpt2::data::Task;
use hooked_gpt2::hook::Positions;
use hooked_gpt2::intervention::LayerScaling;
use hooked_gpt2::lens::Downstream;
use hooked_gpt2::report::{Cell, Column, DataTable, Report};
use hooked_gpt2::sweep::{Axis, Sweep, Variants};
use ndarray::{Array2, Axis as NdAxis, Ix4};

use laboratory::{Laboratory, Options, Outcome};

/// Scale what leaves an early block, and follow it through the later ones
#[derive(Debug, Parser)]
#[command(max_term_width = 80)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// The block whose output is scaled
    #[arg(long, default_value_t = 2)]
    layer: usize,
    /// The factors
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "0.1,0.2,0.4,0.6,0.8,1.2,1.6,2",
        allow_negative_numbers = true
    )]
    factors: Vec<f64>,
}

fn main() -> ExitCode {
    laboratory::main("downstream_impact", |arguments: &Arguments| &arguments.options, experiment)
}

fn experiment(arguments: &Arguments, laboratory: &Laboratory<'_>) -> Outcome<Report> {
    let Arguments { layer, factors, .. } = arguments;
    let (layer, model) = (*layer, &laboratory.model);
    let prompts = laboratory.prompts(Task::Einstein, 16)?;
    let batch = prompts.batch()?;
    let title = format!("Downstream of layer {layer}");
    let question = format!("How long does the stream remember that layer {layer} was scaled?");
    let mut report = laboratory.report(&title, &question, &prompts)?;

    // A variant for each factor, and of each the stream behind every block, at the last token.
    let scaled = |index: &[usize], _| {
        let mut scaling = LayerScaling::new();
        scaling.insert(layer, factors[index[0]])?;
        Ok(scaling)
    };
    let variants = Variants::over([Axis::new("factor", factors)], scaled, &batch)?;
    let drift =
        Downstream::new().at(Positions::last()).sweep(Sweep::new(model, &batch), &variants)?;
    let values =
        |values: ndarray::ArrayViewD<'_, f64>| values.to_owned().into_dimensionality::<Ix4>();
    let (norms, cosines) = (values(drift.norms())?, values(drift.cosines())?); // [factor, site, sequence, 0]
    // Relative to the clean run's norms, and then the mean over the prompts.
    let ratios = norms / drift.clean_norms();
    let mean = |values: ndarray::Array4<f64>| -> Option<Array2<f64>> {
        values.index_axis(NdAxis(3), 0).mean_axis(NdAxis(2))
    };
    let (ratios, cosines) = (mean(ratios), mean(cosines)); // [factor, layer]
    let (Some(ratios), Some(cosines)) = (ratios, cosines) else { return Err("no prompts".into()) };

    for (name, caption, grid) in [
        ("norms", "Norm of the stream behind each block, relative to the clean run", &ratios),
        ("cosines", "Cosine of the stream behind each block with the clean run's", &cosines),
    ] {
        let columns = factors.iter().map(|factor| Column::number(format!("× {factor}"), 3));
        let mut table = DataTable::new(name, [Column::integer("layer")].into_iter().chain(columns));
        for (behind, of_factors) in grid.axis_iter(NdAxis(1)).enumerate().skip(layer) {
            table.row(
                [Cell::from(behind)]
                    .into_iter()
                    .chain(of_factors.iter().map(|&value| value.into())),
            )?;
        }
        report.table(format!("{caption}: means over {} prompts", prompts.len()), table);
    }

    // How much of each factor is left behind the last block: all of it would be the factor itself.
    let n_layers = model.config().n_layers;
    for (number, factor) in factors.iter().enumerate() {
        let (norm, cosine) = (ratios[[number, n_layers - 1]], cosines[[number, n_layers - 1]]);
        report.text(format!(
            "Scaled by {factor}, the stream that leaves the last block is {norm:.2} times as long as the clean one, at a cosine of {cosine:.3}."
        ));
    }
    Ok(report)
}
