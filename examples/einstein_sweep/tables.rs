//! The report as text and as CSV.

use std::io::{self, Write};

use hooked_gpt2::experiment::einstein::{EinsteinReport, Finding, Part, TopToken, Verdict};
use hooked_gpt2::report::{self, Align, Table};

const WIDTH: usize = 80;

/// Writes what a person reads: what runs, the clean top tokens, the sweep as a table, the focus layer's
/// top tokens beside the clean ones, and the findings.
pub fn write(out: &mut impl Write, report: &EinsteinReport) -> io::Result<()> {
    introduce(out, report)?;
    write_top_tokens(out, report)?;
    write_layers(out, report)?;
    write_focus(out, report)?;
    write_findings(out, report)
}

fn introduce(out: &mut impl Write, report: &EinsteinReport) -> io::Result<()> {
    let (model, environment) = (&report.model, &report.environment);
    let runs = format!(
        "Model {}: {} layers, {} heads, d_model {}, {} tokens; {} on {}",
        model.name,
        model.n_layers,
        model.n_heads,
        model.d_model,
        model.d_vocab,
        environment.dtype,
        environment.device
    );
    write_wrapped(out, "", &runs)?;
    let tokens = report.prompt_tokens.len();
    let bos = report.options.bos;
    write_wrapped(out, "", &format!("Prompt {:?}: {tokens} tokens, BOS: {bos}", report.prompt))?;
    writeln!(out)
}

fn write_top_tokens(out: &mut impl Write, report: &EinsteinReport) -> io::Result<()> {
    let EinsteinReport { clean, target, .. } = report;
    writeln!(out, "Clean run: top {}", clean.top_k.len())?;
    let mut table = Table::new(top_token_columns("clean"));
    for (place, token) in clean.top_k.iter().enumerate() {
        table.row([vec![place.to_string()], top_token(token)].concat());
    }
    write!(out, "{}", table.indented(2))?;
    writeln!(
        out,
        "Target {target:?}: loss {:.4} nats, rank {}, probability {:.3e}",
        clean.loss, clean.rank, clean.probability
    )?;
    writeln!(out, "Entropy {:.4} nats", clean.entropy)
}

fn write_layers(out: &mut impl Write, report: &EinsteinReport) -> io::Result<()> {
    writeln!(out, "\nresid_post of one layer scaled by {}", report.scale)?;
    let numbers = ["layer", "loss", "change", "rank", "r", "mean shift", "std ratio"];
    let mut table = Table::new(numbers.map(|name| (name, Align::Right)));
    let clean = &report.clean;
    table.row(["clean", &format!("{:.4}", clean.loss), "", &clean.rank.to_string()]);
    for row in &report.layers {
        let note = match report.is_evidence(row) {
            true => "",
            false if report.is_divided_out(row) => "divided out*",
            false => "no change*",
        };
        table.row([
            row.layer.to_string(),
            format!("{:.4}", row.loss),
            signed(row.delta_loss),
            row.rank.to_string(),
            row.pearson.map_or("undefined".to_owned(), |r| format!("{r:.5}")),
            signed(row.mean_logit_shift),
            format!("{:.4}", row.logit_std_ratio),
            note.to_owned(),
        ]);
    }
    write!(out, "{table}")?;
    if report.layers.iter().any(|row| !report.is_evidence(row)) {
        let by_norm = report.layers.iter().any(|row| report.is_divided_out(row));
        let by_norm = if by_norm { "by the final layer norm; " } else { "" };
        writeln!(out, "* {by_norm}no logit changed by {}: no evidence", report.least_change)?;
    }
    let work = &report.work;
    writeln!(
        out,
        "{} block rows in {} pass{} over the weights; one run each: {:.1} times as many",
        work.block_rows,
        work.passes,
        if work.passes == 1 { "" } else { "es" },
        work.naive_block_rows as f64 / work.block_rows as f64
    )
}

/// The clean top tokens and those of the focus layer, side by side.
fn write_focus(out: &mut impl Write, report: &EinsteinReport) -> io::Result<()> {
    let Some(focus) = report.focus() else { return Ok(()) };
    let (layer, scale) = (focus.layer, report.scale);
    writeln!(out, "\nTop {}: clean, and layer {layer} scaled by {scale}", focus.top_k.len())?;
    let scaled = format!("layer {layer} × {scale}");
    let columns = top_token_columns("clean")
        .into_iter()
        .chain(top_token_columns(&scaled).into_iter().skip(1));
    let mut table = Table::new(columns);
    for (place, (clean, scaled)) in report.clean.top_k.iter().zip(&focus.top_k).enumerate() {
        table.row([vec![place.to_string()], top_token(clean), top_token(scaled)].concat());
    }
    write!(out, "{}", table.indented(2))
}

fn top_token_columns(run: &str) -> [(String, Align); 4] {
    [("rank", Align::Right), (run, Align::Left), ("logit", Align::Right), ("ln p", Align::Right)]
        .map(|(name, align)| (name.to_owned(), align))
}

fn top_token(token: &TopToken) -> Vec<String> {
    vec![
        format!("{:?}", token.text),
        format!("{:.3}", token.logit),
        format!("{:.3}", token.log_prob),
    ]
}

fn write_findings(out: &mut impl Write, report: &EinsteinReport) -> io::Result<()> {
    writeln!(out, "\nThe published findings (GPT-2 Medium), on {}:", report.model.name)?;
    for (number, finding) in (1..).zip(&report.findings) {
        write_wrapped(out, &format!("{number}. "), &format!("\"{}\"", finding.claim))?;
        write_wrapped(out, "   ", &verdict(finding))?;
        let mut table = Table::new([
            ("", Align::Left),
            ("words", Align::Left),
            ("quantity", Align::Left),
            ("measured", Align::Right),
            ("needed", Align::Left),
        ]);
        for part in &finding.parts {
            let holds = part.holds.map_or("", |holds| if holds { "yes" } else { "no" });
            let needed = part.needed.to_string();
            table.row([holds, part.words, part.quantity, &measured(part), &needed]);
        }
        if !finding.parts.is_empty() {
            write!(out, "{}", table.indented(3))?;
        }
    }
    Ok(())
}

fn verdict(finding: &Finding) -> String {
    let layers = match finding.layers[..] {
        [] => String::new(),
        [only] => format!("; measured on layer {only}"),
        [first, .., last] => {
            format!("; measured on {} layers from {first} to {last}", finding.layers.len())
        }
    };
    match (finding.verdict, &finding.reason) {
        (Verdict::CannotBeTold, Some(reason)) => format!("cannot be told: {reason}{layers}"),
        (verdict, _) => format!("{verdict}{layers}"),
    }
}

fn measured(part: &Part) -> String {
    part.measured.map_or("undefined".to_owned(), |measured| match measured.fract() {
        0.0 => format!("{measured}"),
        _ => rounded(measured),
    })
}

fn signed(value: f64) -> String {
    let value = rounded(value);
    if value.starts_with('-') { value } else { format!("+{value}") }
}

/// Four decimals, and no negative zero.
fn rounded(value: f64) -> String {
    let rounded = format!("{value:.4}");
    if rounded == "-0.0000" { "0.0000".to_owned() } else { rounded }
}

/// Writes a paragraph behind `first`, its later lines as far from the left.
fn write_wrapped(out: &mut impl Write, first: &str, text: &str) -> io::Result<()> {
    let blanks = " ".repeat(first.len());
    let options = textwrap::Options::new(WIDTH).initial_indent(first).subsequent_indent(&blanks);
    writeln!(out, "{}", textwrap::fill(text, options))
}

/// Writes a line for each layer, under a header with the names of the JSON.
pub fn write_csv(out: &mut impl Write, report: &EinsteinReport) -> io::Result<()> {
    let headings = [
        "layer",
        "loss",
        "delta_loss",
        "rank",
        "probability",
        "entropy",
        "pearson",
        "mean_logit_shift",
        "logit_std_ratio",
    ];
    let rows = report.layers.iter().map(|row| {
        [
            row.layer.to_string(),
            row.loss.to_string(),
            row.delta_loss.to_string(),
            row.rank.to_string(),
            row.probability.to_string(),
            row.entropy.to_string(),
            row.pearson.map(|r| r.to_string()).unwrap_or_default(),
            row.mean_logit_shift.to_string(),
            row.logit_std_ratio.to_string(),
        ]
    });
    report::write_csv(out, headings, rows)
}
