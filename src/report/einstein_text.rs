//! The Einstein sweep as text, CSV and JSON.

use std::io::{self, Write};

use crate::experiment::einstein::{EinsteinReport, LayerReading, TopToken};

/// Writes what a person reads: the clean top tokens, the sweep as a table, the focus layer's top
/// tokens beside the clean ones, and the findings.
///
/// # Errors
/// Those of `out`.
pub fn write_text(out: &mut impl Write, report: &EinsteinReport) -> io::Result<()> {
    let EinsteinReport { clean, target, scale, .. } = report;
    writeln!(out, "Clean run: top {}", clean.top_k.len())?;
    for (place, token) in clean.top_k.iter().enumerate() {
        writeln!(out, "  {place:>2}  {}", top_token(token))?;
    }
    writeln!(
        out,
        "Target {target:?}: loss {:.4} nats, rank {}, probability {:.3e}; entropy {:.4} nats",
        clean.loss, clean.rank, clean.probability, clean.entropy
    )?;

    writeln!(out, "\nresid_post of one layer scaled by {scale}")?;
    writeln!(out, "layer      loss    change    rank         r  mean shift  std ratio")?;
    writeln!(out, "clean {:>9.4}            {:>6}", clean.loss, clean.rank)?;
    for reading in &report.layers {
        writeln!(out, "{}", row(reading, report.is_divided_out(reading.layer)))?;
    }

    let work = &report.work;
    writeln!(
        out,
        "{} block rows in {} pass{} over the weights; a run for each layer takes {:.1} times as many",
        work.block_rows,
        work.passes,
        if work.passes == 1 { "" } else { "es" },
        work.naive_block_rows as f64 / work.block_rows as f64
    )?;

    if let Some(focus) = report.focus() {
        writeln!(
            out,
            "\nTop {}: clean, and layer {} scaled by {scale}",
            focus.top_k.len(),
            focus.layer
        )?;
        for (place, (clean, scaled)) in clean.top_k.iter().zip(&focus.top_k).enumerate() {
            writeln!(out, "  {place:>2}  {}    {}", top_token(clean), top_token(scaled))?;
        }
    }

    writeln!(out, "\nThe published findings (GPT-2 Medium), on {}:", report.model.name)?;
    for (number, finding) in (1..).zip(&report.findings) {
        let verdict = match finding.holds {
            Some(true) => "holds",
            Some(false) => "does not hold",
            None => "cannot be told",
        };
        writeln!(out, "{number}. {}", finding.claim)?;
        writeln!(out, "   {verdict}: {}", finding.measured)?;
    }
    Ok(())
}

fn row(reading: &LayerReading, is_divided_out: bool) -> String {
    let r = reading.pearson.map_or_else(|| "undefined".to_owned(), |r| format!("{r:.5}"));
    let note =
        if is_divided_out { "  divided out by the final layer norm: no evidence" } else { "" };
    format!(
        "{:>5} {:>9.4} {:>+9.4} {:>7} {r:>9} {:>+11.4} {:>10.4}{note}",
        reading.layer,
        reading.loss,
        reading.delta_loss,
        reading.rank,
        reading.mean_logit_shift,
        reading.logit_std_ratio
    )
}

fn top_token(token: &TopToken) -> String {
    format!("{:<16} {:>9.3} {:>7.3}", format!("{:?}", token.text), token.logit, token.log_prob)
}

/// Writes a line for each layer, under a header with the names of the JSON.
///
/// # Errors
/// Those of `out`.
pub fn write_csv(out: &mut impl Write, report: &EinsteinReport) -> io::Result<()> {
    writeln!(
        out,
        "layer,loss,delta_loss,rank,probability,entropy,pearson,mean_logit_shift,logit_std_ratio"
    )?;
    for reading in &report.layers {
        let LayerReading { layer, loss, delta_loss, rank, probability, entropy, .. } = reading;
        let pearson = reading.pearson.map(|r| r.to_string()).unwrap_or_default();
        writeln!(
            out,
            "{layer},{loss},{delta_loss},{rank},{probability},{entropy},{pearson},{},{}",
            reading.mean_logit_shift, reading.logit_std_ratio
        )?;
    }
    Ok(())
}

/// Writes the report as one JSON document, with a newline at the end.
///
/// # Errors
/// Those of `out`.
pub fn write_json(out: &mut impl Write, report: &EinsteinReport) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}
