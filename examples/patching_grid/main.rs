//! Patches the clean run into the corrupted one, at each layer and position, and draws what that does.
//!
//! ```sh
//! cargo run --release --example patching_grid
//! cargo run --release --example patching_grid -- --site attn_out --model path/to/gpt2-medium
//! ```

mod arguments;
#[path = "../shared/failure.rs"]
mod failure;
#[path = "../shared/source.rs"]
mod source;
#[path = "../shared/threads.rs"]
mod threads;
#[path = "../shared/usage.rs"]
mod usage;

use std::io::{self, Write};
use std::iter;
use std::process::ExitCode;

use hooked_gpt2::report::{Cell, Column, DataTable, OutputDir, write_csv_grid};
use hooked_gpt2::sweep::{LogitDifference, Metric, Replacement, Sweep, Variants};
use hooked_gpt2::{Batch, Gpt2, Precision, device};
use indicatif::{ProgressBar, ProgressStyle};
use ndarray::{Array2, ArrayView1, Ix2, s};

use arguments::Arguments;
use usage::parse;

fn main() -> ExitCode {
    let arguments: Arguments = match parse() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    arguments.threads.run(|| patch(&arguments))
}

fn patch(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let device = device::parse(&arguments.device)?;
    let out = OutputDir::create(&arguments.out)?;
    let checkpoint = source::open_named(&arguments.model, arguments.offline)?;
    let tokenizer = checkpoint.tokenizer()?;
    let clean = Batch::single(tokenizer.encode(&arguments.clean)?)?;
    let corrupted = Batch::single(tokenizer.encode(&arguments.corrupted)?)?;
    let (clean_tokens, corrupted_tokens) = (&clean.sequences()[0], &corrupted.sequences()[0]);
    if clean_tokens.len() != corrupted_tokens.len() {
        let (clean, corrupted) = (clean_tokens.len(), corrupted_tokens.len());
        return Err(format!(
            "the prompts must have as many tokens, the clean one has {clean}, the corrupted one {corrupted}"
        )
        .into());
    }
    if clean_tokens == corrupted_tokens {
        return Err("the prompts are the same, so that there is nothing to restore".into());
    }
    let right = tokenizer.single_token(&arguments.right)?;
    let wrong = tokenizer.single_token(&arguments.wrong)?;
    if right == wrong {
        let answer = &arguments.right;
        return Err(
            format!("both answers are {answer:?}, which differs from itself by 0 always").into()
        );
    }
    let metric = LogitDifference::of(right, wrong);
    let (model, _) = Gpt2::load(&checkpoint, arguments.dtype, device)?;

    let site = arguments.site.of_layer();
    let sites = (0..model.config().n_layers).map(site);
    let kept = model.run(&clean).capture(sites).execute()?;
    let clean_run = Replacement::Resample(&kept.activations);
    let variants = Variants::patched_positions(model.config(), site, clean_run, &corrupted)?;
    let mut sweep = Sweep::new(&model, &corrupted);
    if let Some(mebibytes) = arguments.max_mib {
        sweep = sweep.max_bytes(mebibytes.saturating_mul(1 << 20));
    }
    let plan = sweep.plan(&variants)?;

    let bar = ProgressBar::new(plan.block_rows() as u64);
    bar.set_style(ProgressStyle::with_template("{wide_bar} {percent} %, {eta} left")?);
    let results = plan.measure_with_progress(&[&metric], |progress| {
        bar.set_position(progress.done as u64);
        true
    })?;
    bar.finish_and_clear();

    let unpatched = results.base(metric.name())?[[0, 0]];
    let clean_logits = kept.logits.last(0)?;
    let clean_value = clean_logits[right as usize] - clean_logits[wrong as usize];
    check_difference(arguments, clean_value, unpatched, clean_logits.view())?;
    let values = results.values(metric.name())?;
    let values = values.slice(s![.., .., 0, 0]).into_dimensionality::<Ix2>()?;
    let tokens: Vec<String> = (corrupted_tokens.iter())
        .map(|&token| tokenizer.decode(&[token]))
        .collect::<hooked_gpt2::Result<_>>()?;
    let words: Vec<String> = (tokens.iter().enumerate())
        .map(|(position, token)| format!("{position} {}", token.trim()))
        .collect();

    let layers = &results.axes()[0].labels;
    let saved = save(&out, arguments, layers, &tokens, &values.mapv(|value| value - unpatched));
    let columns = words.iter().map(|word| Column::number(word, 3));
    let columns = iter::once(Column::text("layer")).chain(columns);
    let mut table = DataTable::new("grid", columns);
    for (layer, row) in layers.iter().zip(values.outer_iter()) {
        let share = |value: &f64| Cell::from((value - unpatched) / (clean_value - unpatched));
        table.row(iter::once(Cell::from(layer.as_str())).chain(row.iter().map(share)))?;
    }
    // Printed also where it cannot be saved.
    let print = || {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{plan}\n")?;
        writeln!(
            stdout,
            "logit of {:?} less that of {:?}: clean {clean_value:.3}, corrupted {unpatched:.3}\n",
            arguments.right, arguments.wrong
        )?;
        writeln!(stdout, "share of the way to clean, by layer and patched position")?;
        writeln!(stdout, "{table}")?;
        match saved {
            Ok(()) => writeln!(stdout, "Written to {}", out.path().display()),
            Err(_) => Ok(()),
        }
    };
    let printed = print();
    saved?;
    Ok(printed?)
}

/// Refuses answers that the prompts do not tell apart: shares of that would be of roundings.
fn check_difference(
    arguments: &Arguments,
    clean: f64,
    corrupted: f64,
    logits: ArrayView1<'_, f64>,
) -> Result<(), String> {
    // How far the roundings of a whole model may go, as a share of the logits.
    let share = match arguments.dtype {
        Precision::F64 => 16.0 * f64::EPSILON,
        Precision::Bf16 => 0.001,
        _ => 16.0 * f64::from(f32::EPSILON),
    };
    let roundings = share * logits.fold(0.0, |largest: f64, logit| largest.max(logit.abs()));
    let difference = clean - corrupted;
    if difference.abs() > roundings {
        return Ok(());
    }
    Err(format!(
        "between the prompts the answers differ by {difference:.1e}, and roundings of {} may be {roundings:.1e}: there is nothing to restore",
        arguments.dtype
    ))
}

/// Writes the changes of the logit difference as a table, and as a figure where that is built in.
fn save(
    out: &OutputDir,
    arguments: &Arguments,
    layers: &[String],
    tokens: &[String],
    changes: &Array2<f64>,
) -> Result<(), Box<dyn std::error::Error>> {
    let positions: Vec<String> = (0..tokens.len()).map(|position| position.to_string()).collect();
    let mut csv = Vec::new();
    let axes = [("layer", layers), ("position", &positions)];
    write_csv_grid(&mut csv, &axes, "change", changes.view().into_dyn())?;
    #[allow(unused_mut, reason = "without `plot` there is no figure")]
    let mut files = vec![("grid.csv", csv)];
    #[cfg(feature = "plot")]
    {
        use clap::ValueEnum;
        use hooked_gpt2::report::{figure::HeatMap, visible};
        let site = arguments.site.to_possible_value();
        let site = site.as_ref().map_or("", |site| site.get_name());
        let words: Vec<String> = (tokens.iter().enumerate())
            .map(|(position, token)| format!("{position} {}", visible(token)))
            .collect();
        let [right, wrong] = [&arguments.right, &arguments.wrong].map(|answer| visible(answer));
        let map = HeatMap {
            title: format!(
                "{}, {site}: {:?} into {:?}",
                arguments.model, arguments.clean, arguments.corrupted
            ),
            quantity: format!("change of logit({right}) - logit({wrong})"),
            rows: ("layer", layers),
            columns: ("patched position", &words),
            values: changes.view(),
            ..HeatMap::default()
        };
        files.push(("grid.svg", map.to_svg()?.into_bytes()));
    }
    #[cfg(not(feature = "plot"))]
    let _ = arguments;
    Ok(out.write(files)?)
}
