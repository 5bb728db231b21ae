//! Finds what a model identifies the indirect object with: grids of patches, their estimate, and direct attribution
//! (after Wang et al. 2022, arXiv:2211.00593).
//!
//! ```sh
//! cargo run --release --example ioi
//! ```

#[path = "shared/laboratory.rs"]
mod laboratory;

use std::process::ExitCode;

use clap::Parser;
use hooked_gpt2::analysis::correlation::pearson;
use hooked_gpt2::analysis::uncertainty::Interval;
use hooked_gpt2::data::{Prompts, Task};
use hooked_gpt2::experiment::Verdict;
use hooked_gpt2::hook::Site;
use hooked_gpt2::lens::LogitAttribution;
use hooked_gpt2::report::{AttentionView, Column, DataTable, Report, visible};
use hooked_gpt2::sweep::{LogitDifference, Replacement, Results, Sweep, Variants};
use hooked_gpt2::tch::{Kind, Tensor};
use hooked_gpt2::{Activations, Gpt2};
use ndarray::{Array2, ArrayD};

use laboratory::{Laboratory, Options, Outcome};

const PLACES: [&str; 5] = ["IO", "S1", "S1+1", "S2", "END"];
/// Heads in the table, those of the largest effects.
const SHOWN: usize = 10;

/// Find what the model identifies the indirect object with
#[derive(Debug, Parser)]
#[command(max_term_width = 80)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    laboratory::main("ioi", |arguments: &Arguments| &arguments.options, experiment)
}

fn experiment(_: &Arguments, laboratory: &Laboratory<'_>) -> Outcome<Report> {
    let (model, tokenizer) = (&laboratory.model, laboratory.tokenizer()?);
    let (n_layers, n_heads) = (model.config().n_layers, model.config().n_heads);
    let prompts = laboratory.prompts(Task::IndirectObject, 24)?;
    let (clean, corrupted) = (prompts.batch()?, prompts.corrupted_batch()?);
    let question = "Where does the model find whom the sentence goes on with?";
    let mut report = laboratory.report("Indirect object identification", question, &prompts)?;

    // What the clean run has, to be put into the run of three other names.
    let (right, wrong) = (prompts.right()?, prompts.wrong()?);
    let metric = LogitDifference::of_answers(right.clone(), wrong.clone());
    let places_of = |layer| [Site::resid_pre(layer), Site::attn_out(layer), Site::mlp_out(layer)];
    let streams = (0..n_layers).flat_map(places_of);
    let kept = model.run(&clean).capture(streams.chain((0..n_layers).map(Site::z))).execute()?;
    let differences = (0..prompts.len()).map(|sequence| {
        let logits = kept.logits.last(sequence)?;
        Ok(logits[right[sequence][0] as usize] - logits[wrong[sequence][0] as usize])
    });
    let differences: Vec<f64> = differences.collect::<hooked_gpt2::Result<_>>()?;
    let n_prompts = prompts.len() as f64;
    let of_clean = differences.iter().sum::<f64>() / n_prompts;
    let n_right = differences.iter().filter(|&&difference| difference > 0.0).count();
    let measure = |variants: &Variants| -> Outcome<Results> {
        let plan = Sweep::new(model, &corrupted).plan(variants)?;
        Ok(plan.measure_with_progress(&[&metric], &mut laboratory.progress()?)?)
    };
    let with = Replacement::Resample(&kept.activations);
    let named = prompts.places(PLACES)?;

    // Streams at the named places, then heads everywhere: the share of the difference that each brings back.
    let layers: Vec<String> = (0..n_layers).map(|layer| layer.to_string()).collect();
    let sites: [fn(usize) -> Site; 3] = [Site::resid_pre, Site::attn_out, Site::mlp_out];
    report.heading("Streams at the named places");
    for (name, site) in ["resid_pre", "attn_out", "mlp_out"].into_iter().zip(sites) {
        let variants = Variants::patched_places(model.config(), site, &named, with, &corrupted)?;
        let results = measure(&variants)?;
        let shares = shares(&results, of_clean)?;
        let columns = PLACES.map(|place| Column::percent(place, 0));
        let mut table = DataTable::new(name, [Column::integer("layer")].into_iter().chain(columns));
        for (layer, row) in shares.outer_iter().enumerate() {
            table.row([layer.into()].into_iter().chain(row.iter().map(|&share| share.into())))?;
        }
        let caption =
            format!("{name} patched from the clean run: share of the difference brought back");
        draw(
            &mut report,
            (name, &caption),
            (&layers, "place", &PLACES.map(str::to_owned)),
            &shares,
        )?;
        report.table("The same in numbers", table);
    }
    let results = measure(&Variants::patched_heads(model.config(), Site::z, with, &corrupted)?)?;
    let exact = results.mean_change("logit_difference", 0.95, 2000, 0)?;
    let estimated = estimate(model, &prompts, &kept.activations)?;
    let pairs = right.iter().zip(&wrong).map(|(right, wrong)| (right[0], wrong[0]));
    let attributed = LogitAttribution::of_each(pairs).read(model.run(&clean))?;
    let mut direct = Array2::<f64>::zeros((n_layers, n_heads));
    for sequence in 0..prompts.len() {
        direct += &(attributed.heads(sequence, 0)? / n_prompts);
    }

    report.heading("Heads");
    let columns = [
        Column::text("head"),
        Column::signed("patched", 2),
        Column::signed("low", 2),
        Column::signed("high", 2),
        Column::signed("estimate", 2),
        Column::signed("direct", 2),
    ];
    let mut table = DataTable::new("heads", columns);
    let mut order: Vec<(usize, usize)> =
        (0..n_layers).flat_map(|layer| (0..n_heads).map(move |head| (layer, head))).collect();
    let effect = |&(layer, head): &(usize, usize)| exact[[layer, head]].mean;
    order.sort_by(|a, b| effect(b).abs().total_cmp(&effect(a).abs()));
    for &(layer, head) in order.iter().take(SHOWN) {
        let Interval { mean, low, high, .. } = exact[[layer, head]];
        let (estimate, direct) = (estimated[[layer, head]], direct[[layer, head]]);
        table.row([
            format!("{layer}.{head}").into(),
            mean.into(),
            low.into(),
            high.into(),
            estimate.into(),
            direct.into(),
        ])?;
    }
    let heads: Vec<String> = (0..n_heads).map(|head| head.to_string()).collect();
    let caption = "z of each head patched from the clean run: share of the difference brought back";
    draw(&mut report, ("z", caption), (&layers, "head", &heads), &shares(&results, of_clean)?)?;
    report.table(
        "Logit difference (nats): patched with 95 % intervals, its estimate by gradients, direct attribution",
        table,
    );

    report.heading("What it says");
    report.claim(
        "The model does the task",
        verdict(n_right as f64 >= 0.9 * n_prompts),
        format!(
            "The name that is right is likelier than the other in {n_right} of {n_prompts} prompts, by {of_clean:.2} nats on average."
        ),
    );
    let (exact, estimated) = (exact.mapv(|interval| interval.mean), estimated.into_dyn());
    let r = pearson(exact.flatten().view(), estimated.flatten().view())?;
    report.claim(
        "Attribution patching stands for patching of heads",
        verdict(r >= 0.9),
        format!("Over all heads, estimate and exact effect correlate by r = {r:.3}."),
    );
    #[cfg(feature = "plot")]
    {
        use hooked_gpt2::report::figure::{Guide, Scatter};
        let names =
            (0..n_layers).flat_map(|layer| (0..n_heads).map(move |head| format!("{layer}.{head}")));
        let (exact, estimated) = (exact.flatten(), estimated.flatten());
        let scatter = Scatter {
            title: "Heads: the estimate by gradients against the exact effect".to_owned(),
            x: ("exact change of the logit difference (nats)", exact.view()),
            y: ("estimate (nats)", estimated.view()),
            labels: &names.collect::<Vec<_>>(),
            guide: Some(Guide::Diagonal),
        };
        report.figure("estimate", "Estimate and exact effect of each head", scatter.to_svg()?);
    }

    // Where the heads of the largest effects look from the end of the first prompt.
    let strongest = &order[..order.len().min(4)];
    let run = model.run(&clean).capture(strongest.iter().map(|&(layer, _)| Site::pattern(layer)));
    let patterns = run.without_logits().execute()?.activations;
    let heads = strongest.iter().map(|&(layer, head)| {
        let pattern = patterns.get(Site::pattern(layer), 0)?.f_get(head as i64)?;
        let rows = (0..pattern.size()[0]).map(|query| {
            Ok(Vec::<f64>::try_from(&pattern.f_get(query)?.f_to_kind(Kind::Double)?)?)
        });
        Ok((format!("{layer}.{head}"), rows.collect::<Outcome<Vec<_>>>()?))
    });
    let view = AttentionView {
        tokens: tokenizer
            .pieces(&clean.sequences()[0])?
            .iter()
            .map(|token| visible(token))
            .collect(),
        heads: heads.collect::<Outcome<_>>()?,
    };
    report.attention("Where the heads of the largest effects look, in the first prompt", view);
    Ok(report)
}

fn verdict(holds: bool) -> Verdict {
    if holds { Verdict::Holds } else { Verdict::DoesNotHold }
}

/// `(mean - corrupted) / (clean - corrupted)` of each variant, `[layer, place or head]`.
fn shares(results: &Results, clean: f64) -> Outcome<Array2<f64>> {
    let means: ArrayD<f64> =
        results.mean("logit_difference", 0.95, 1, 0)?.mapv(|interval| interval.mean);
    let corrupted = results.base("logit_difference")?.mean().unwrap_or(f64::NAN);
    Ok(means.mapv(|mean| (mean - corrupted) / (clean - corrupted)).into_dimensionality()?)
}

/// Attribution patching (Nanda 2023): the gradient of the logit difference in the corrupted run, times what patching would
/// change, summed over each head: `[layer, head]`, means over the prompts.
fn estimate(model: &Gpt2, prompts: &Prompts, clean: &Activations) -> Outcome<Array2<f64>> {
    let (right, wrong, corrupted) =
        (prompts.right()?, prompts.wrong()?, prompts.corrupted_batch()?);
    let (n_layers, n_heads) = (model.config().n_layers, model.config().n_heads);
    let sites: Vec<Site> = (0..n_layers).map(Site::z).collect();
    let run = model.run(&corrupted).capture(sites.iter().copied());
    let (output, gradients) = run.differentiate(|logits| {
        let differences = (0..prompts.len()).map(|sequence| {
            let last = logits.tensor(sequence)?.f_get(-1)?;
            let of = |answer: u32| last.f_get(i64::from(answer));
            Ok(of(right[sequence][0])?.f_sub(&of(wrong[sequence][0])?)?)
        });
        let differences: Vec<Tensor> = differences.collect::<hooked_gpt2::Result<_>>()?;
        Ok(Tensor::f_stack(&differences, 0)?.f_sum(Kind::Float)?)
    })?;
    let mut estimated = Array2::zeros((n_layers, n_heads));
    for (layer, &site) in sites.iter().enumerate() {
        for sequence in 0..prompts.len() {
            // [position, head, d_head]
            let change =
                clean.get(site, sequence)?.f_sub(&output.activations.get(site, sequence)?)?;
            let products = change.f_mul(&gradients.get(site, sequence)?)?;
            let of_heads = products.f_sum_dim_intlist([0, 2].as_slice(), false, Kind::Double)?;
            for (head, value) in Vec::<f64>::try_from(&of_heads)?.into_iter().enumerate() {
                estimated[[layer, head]] += value / prompts.len() as f64;
            }
        }
    }
    Ok(estimated)
}

/// Adds a heat map of shares, where figures are built in.
fn draw(
    report: &mut Report,
    (name, caption): (&str, &str),
    (layers, across, columns): (&[String], &str, &[String]),
    shares: &Array2<f64>,
) -> Outcome<()> {
    #[cfg(feature = "plot")]
    {
        let map = hooked_gpt2::report::figure::HeatMap {
            title: format!("{name}, patched from the clean run"),
            quantity: "share of the logit difference brought back".to_owned(),
            rows: ("layer", layers),
            columns: (across, columns),
            values: shares.view(),
            bound: Some(1.0),
            ..Default::default()
        };
        report.figure(format!("{name}_grid"), caption, map.to_svg()?);
    }
    #[cfg(not(feature = "plot"))]
    let _ = (report, name, caption, layers, across, columns, shares);
    Ok(())
}
