//! Reads the residual stream behind each block as if it were the last, and says where the next word comes up.
//!
//! ```sh
//! cargo run --release --example logit_lens
//! cargo run --release --example logit_lens -- --prompt "She was a very happy"
//! ```

#[path = "shared/laboratory.rs"]
mod laboratory;

use std::process::ExitCode;

use clap::Parser;
use hooked_gpt2::Batch;
use hooked_gpt2::analysis::rank::RankedToken;
use hooked_gpt2::data::Task;
use hooked_gpt2::experiment::Verdict;
use hooked_gpt2::hook::Positions;
use hooked_gpt2::lens::LogitLens;
use hooked_gpt2::report::{Column, DataTable, PredictionsView, Report, visible};

use laboratory::{Laboratory, Options, Outcome};

/// Read each layer's residual stream as if it were the last: where does the next word come up?
#[derive(Debug, Parser)]
#[command(max_term_width = 80)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// How many of the likeliest tokens to keep behind each token
    #[arg(long, default_value_t = 5)]
    top_k: usize,
}

fn main() -> ExitCode {
    laboratory::main("logit_lens", |arguments: &Arguments| &arguments.options, experiment)
}

fn experiment(arguments: &Arguments, laboratory: &Laboratory<'_>) -> Outcome<Report> {
    let (model, tokenizer) = (&laboratory.model, laboratory.tokenizer()?);
    let prompts = laboratory.prompts(Task::IndirectObject, 50)?;
    let batch = prompts.batch()?;
    let mut report = laboratory.report(
        "Logit lens",
        "Behind which layer does the model's own next word come up?",
        &prompts,
    )?;

    // What the model itself expects behind the last token of each prompt, and how every layer ranks it.
    let last = model.run(&batch).unembed(Positions::last()).execute()?.logits;
    let n_prompts = prompts.len();
    let expected = (0..n_prompts).map(|sequence| {
        let logits = last.last(sequence)?;
        Ok(hooked_gpt2::analysis::rank::top_k(logits.view(), 1)?[0].token)
    });
    let expected: Vec<u32> = expected.collect::<hooked_gpt2::Result<_>>()?;
    let lens = LogitLens::new().at(Positions::last()).target_of_each(expected);
    let lens = lens.read(model.run(&batch))?;

    let columns = [
        Column::text("stream"),
        Column::percent("likeliest", 0),
        Column::number("median rank", 0),
        Column::percent("probability", 1),
        Column::number("KL (nats)", 2),
    ];
    let mut table = DataTable::new("by_layer", columns);
    let (ranks, log_probs, kl) = (lens.ranks()?, lens.log_probs()?, lens.kl());
    let mut first_sure = None;
    for (number, site) in lens.sites().iter().enumerate() {
        let mut of_site: Vec<f64> = (0..n_prompts).map(|s| ranks[[number, s, 0]]).collect();
        of_site.sort_by(f64::total_cmp);
        let mean =
            |of: &dyn Fn(usize) -> f64| (0..n_prompts).map(of).sum::<f64>() / n_prompts as f64;
        let likeliest = mean(&|s| f64::from(ranks[[number, s, 0]] == 0.0));
        if likeliest >= 0.5 && first_sure.is_none() {
            first_sure = Some(site);
        }
        table.row([
            site.to_string().into(),
            likeliest.into(),
            of_site[n_prompts / 2].into(),
            mean(&|s| log_probs[[number, s, 0]].exp()).into(),
            mean(&|s| kl[[number, s, 0]]).into(),
        ])?;
    }
    report.heading("Layer by layer, behind the last token");
    report.table(format!("The model's own likeliest next token, over {n_prompts} prompts"), table);
    if let Some(site) = first_sure {
        report.text(format!(
            "At {site} the word that the model ends with is the likeliest one for at least half of the prompts."
        ));
    }
    // The last stream is what the model reads its word from: a check of the lens, and no finding.
    let last = kl.index_axis(ndarray::Axis(0), lens.sites().len() - 1);
    let largest = last.iter().copied().fold(0.0, f64::max);
    let verdict = if largest < 1e-3 { Verdict::Holds } else { Verdict::DoesNotHold };
    report.claim(
        "Behind the last block the lens is the model",
        verdict,
        format!("The largest KL there is {largest:.1e} nats."),
    );

    // The first prompt, token by token, for the page.
    let first = Batch::single(batch.sequences()[0].clone())?;
    let lens = LogitLens::new().top(arguments.top_k).read(model.run(&first))?;
    let tokens = tokenizer.pieces(&batch.sequences()[0])?;
    let word =
        |top: &RankedToken| Ok((visible(&tokenizer.decode(&[top.token])?), top.log_prob.exp()));
    let rows = lens.sites().iter().enumerate().map(|(number, site)| {
        let cells = (0..tokens.len())
            .map(|position| lens.top(number, 0, position)?.iter().map(word).collect());
        Ok((site.to_string(), cells.collect::<hooked_gpt2::Result<_>>()?))
    });
    let view = PredictionsView {
        rows: rows.collect::<hooked_gpt2::Result<_>>()?,
        tokens: tokens.iter().map(|token| visible(token)).collect(),
    };
    report.heading("Token by token");
    report.predictions("What each stream expects next in the first prompt", view);
    Ok(report)
}
