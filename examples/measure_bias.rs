//! Measures which pronoun a model expects after an occupation, removes the direction between both kinds of occupations, and
//! says what that costs (statistics: Zhao et al. 2018, arXiv:1804.06876).
//!
//! ```sh
//! cargo run --release --example measure_bias
//! ```

#[path = "shared/laboratory.rs"]
mod laboratory;

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Parser;
use hooked_gpt2::Batch;
use hooked_gpt2::analysis::correlation::pearson;
use hooked_gpt2::analysis::uncertainty::Interval;
use hooked_gpt2::data::Task;
use hooked_gpt2::experiment::Verdict;
use hooked_gpt2::hook::{At, Capture, Positions, Site};
use hooked_gpt2::intervention::Interventions;
use hooked_gpt2::lens::SteeringVector;
use hooked_gpt2::report::{Column, DataTable, Report};
use hooked_gpt2::sweep::{Axis, LogitDifference, NextTokenLoss, Sweep, Variants};
use ndarray::{Array1, s};

use laboratory::{Laboratory, Options, Outcome};

/// Which pronoun does the model expect after an occupation, and can that be removed?
#[derive(Debug, Parser)]
#[command(max_term_width = 80)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    laboratory::main("measure_bias", |arguments: &Arguments| &arguments.options, experiment)
}

fn experiment(_: &Arguments, laboratory: &Laboratory<'_>) -> Outcome<Report> {
    let (model, tokenizer) = (&laboratory.model, laboratory.tokenizer()?);
    let n_layers = model.config().n_layers;
    let prompts = laboratory.prompts(Task::Occupations, 120)?;
    let (batch, partners) = (prompts.batch()?, prompts.corrupted_batch()?);
    let question =
        "Which pronoun does the model expect after an occupation, and what removes that?";
    let mut report = laboratory.report("Occupations and pronouns", question, &prompts)?;

    // Of each prompt its occupation, and the share of women in it.
    let label =
        |name: &'static str| prompts.examples().iter().map(move |example| example.labels.get(name));
    let occupations = label("occupation").collect::<Option<Vec<_>>>();
    let percent = label("percent_women").map(|percent| percent?.parse::<f64>().ok());
    let percent = percent.collect::<Option<Array1<f64>>>();
    let (Some(occupations), Some(percent)) = (occupations, percent) else {
        return Err("the prompts need the labels `occupation` and `percent_women`".into());
    };

    // At each layer the direction from occupations of men to those of women: of each pair, one is the prompt.
    let pick =
        |women: bool| {
            let pairs = batch.sequences().iter().zip(partners.sequences()).zip(&percent);
            Batch::new(pairs.map(|((own, other), &percent)| {
                if (percent >= 50.0) == women { own.clone() } else { other.clone() }
            }))
        };
    let (of_women, of_men) = (pick(true)?, pick(false)?);
    let directions = (0..n_layers).map(|layer| {
        let last = Capture::new(Site::resid_post(layer)).positions(Positions::last());
        SteeringVector::of_sets(model, &last, &of_women, &of_men)
    });
    let directions: Vec<SteeringVector> = directions.collect::<hooked_gpt2::Result<_>>()?;
    let removed = |index: &[usize], _| {
        let mut hooks = Interventions::new();
        let layer = index[0];
        hooks.project_out(At::resid_post(layer), &directions[layer].direction)?;
        Ok(hooks)
    };
    let layers = || [Axis::counting("layer", n_layers)];

    // The logit of "she" less that of "he", with and without; and the loss of ordinary prose.
    let [she, he] = [tokenizer.single_token(" she")?, tokenizer.single_token(" he")?];
    let odds = LogitDifference::of(she, he);
    let variants = Variants::over(layers(), removed, &batch)?;
    let plan = Sweep::new(model, &batch).plan(&variants)?;
    let results = plan.measure_with_progress(&[&odds], &mut laboratory.progress()?)?;
    let prose = laboratory.sentences()?.batch()?;
    let variants = Variants::over(layers(), removed, &prose)?;
    let plan = Sweep::new(model, &prose).score(Positions::all()).plan(&variants)?;
    let costs = plan.measure_with_progress(&[&NextTokenLoss], &mut laboratory.progress()?)?;
    let costs = costs.mean_change("next_token_loss", 0.95, 2000, 0)?;

    let clean = results.base("logit_difference")?.column(0).to_owned();
    let mut by_occupation = BTreeMap::<&str, (f64, Vec<f64>)>::new();
    for ((occupation, &percent), &odds) in occupations.iter().zip(&percent).zip(&clean) {
        by_occupation.entry(occupation).or_insert((percent, Vec::new())).1.push(odds);
    }
    let columns =
        [Column::text("occupation"), Column::integer("women (%)"), Column::signed("she - he", 2)];
    let mut table = DataTable::new("by_occupation", columns);
    let mut rows: Vec<_> = by_occupation.into_iter().collect();
    rows.sort_by(|a, b| b.1.0.total_cmp(&a.1.0));
    for (occupation, (percent, odds)) in rows {
        let mean = odds.iter().sum::<f64>() / odds.len() as f64;
        table.row([occupation.into(), percent.into(), mean.into()])?;
    }
    report.heading("What the model expects");
    report.table("Logit of \" she\" less that of \" he\" (nats), means over the prompts", table);
    let r = pearson(percent.view(), clean.view())?;
    report.claim(
        "The model's pronouns follow the statistics",
        if r >= 0.5 { Verdict::Holds } else { Verdict::DoesNotHold },
        format!("The share of women and the logit difference correlate by r = {r:.3}."),
    );

    report.heading("The direction removed, at one layer after another");
    let columns = [
        Column::integer("layer"),
        Column::number("spread (nats)", 2),
        Column::number("r with women (%)", 2),
        Column::signed("loss of prose (nats)", 3),
        Column::signed("low", 3),
        Column::signed("high", 3),
    ];
    let mut table = DataTable::new("by_layer", columns);
    let values = results.values("logit_difference")?;
    let mut least = (0, f64::INFINITY);
    for layer in 0..n_layers {
        let odds = values.slice(s![layer, .., 0]).into_dimensionality::<ndarray::Ix1>()?;
        let spread = odds.std(0.0);
        if spread < least.1 {
            least = (layer, spread);
        }
        let Interval { mean, low, high, .. } = costs[[layer]];
        let r = pearson(percent.view(), odds).ok();
        table.row([layer.into(), spread.into(), r.into(), mean.into(), low.into(), high.into()])?;
    }
    report.table(
        "Standard deviation of the logit difference over all prompts, and the change of the loss of ordinary prose with 95 % intervals",
        table,
    );
    let (layer, spread) = least;
    let Interval { mean, low, high, .. } = costs[[layer]];
    report.text(format!(
        "Prompts differ least, by {spread:.2} instead of {:.2} nats, where the direction is removed at layer {layer}; ordinary prose costs {mean:+.3} nats more then ({low:+.3} to {high:+.3}).",
        clean.std(0.0)
    ));
    Ok(report)
}
