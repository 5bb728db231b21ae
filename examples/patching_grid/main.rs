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

use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use hooked_gpt2::report::OutputDir;
use hooked_gpt2::sweep::{LogitDifference, Metric, Replacement, Sweep, Variants};
use hooked_gpt2::{Batch, Gpt2, device};
use indicatif::{ProgressBar, ProgressStyle};
use ndarray::{Array2, Ix2, s};

use arguments::Arguments;
use failure::{chain, is_broken_pipe};

fn main() -> ExitCode {
    match patch(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", chain(&*error));
            ExitCode::FAILURE
        }
    }
}

fn patch(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let device = device::parse(&arguments.device)?;
    let out = OutputDir::create(&arguments.out)?;
    let checkpoint = source::open(&arguments.model, arguments.offline)?;
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
    let right = tokenizer.single_token(&arguments.right)?;
    let metric = LogitDifference::of(right, tokenizer.single_token(&arguments.wrong)?);
    let (model, _) = Gpt2::load(&checkpoint, arguments.dtype, device)?;

    let site = arguments.site.of_layer();
    let sites = (0..model.config().n_layers).map(site);
    let kept = model.run(&clean).capture(sites).execute()?;
    let clean_run = Replacement::Resample(&kept.activations);
    let variants = Variants::patched_positions(model.config(), site, clean_run, &corrupted)?;
    let mut sweep = Sweep::new(&model, &corrupted);
    if let Some(mebibytes) = arguments.max_mib {
        sweep = sweep.max_bytes(mebibytes << 20);
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
    let logit = |text: &str| -> hooked_gpt2::Result<f64> {
        Ok(clean_logits[tokenizer.single_token(text)? as usize])
    };
    let clean_value = logit(&arguments.right)? - logit(&arguments.wrong)?;
    let values = results.values(metric.name())?;
    let values = values.slice(s![.., .., 0, 0]).into_dimensionality::<Ix2>()?;
    let words: Vec<String> = (corrupted_tokens.iter().enumerate())
        .map(|(position, &token)| Ok(format!("{position} {}", tokenizer.decode(&[token])?.trim())))
        .collect::<hooked_gpt2::Result<_>>()?;

    let layers = &results.axes()[0].labels;
    save(&out, arguments, layers, &words, &values.mapv(|value| value - unpatched))?;
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{plan}\n")?;
    writeln!(
        stdout,
        "logit of {:?} less that of {:?}: clean {clean_value:.3}, corrupted {unpatched:.3}\n",
        arguments.right, arguments.wrong
    )?;
    writeln!(stdout, "share of the way to clean, by layer and patched position")?;
    let header: String = words.iter().fold(String::new(), |mut line, word| {
        let _ = write!(line, "{:>10}", word.chars().take(9).collect::<String>());
        line
    });
    writeln!(stdout, "layer {header}")?;
    for (layer, row) in values.outer_iter().enumerate() {
        let share = |value: f64| (value - unpatched) / (clean_value - unpatched);
        let cells: String = row.iter().map(|&value| format!("{:>10.3}", share(value))).collect();
        writeln!(stdout, "{layer:>5} {cells}")?;
    }
    writeln!(stdout, "\nWritten to {}", out.path().display())?;
    Ok(())
}

/// Writes the changes of the logit difference as a table, and as a figure where that is built in.
fn save(
    out: &OutputDir,
    arguments: &Arguments,
    layers: &[String],
    words: &[String],
    changes: &Array2<f64>,
) -> hooked_gpt2::Result<()> {
    let mut csv = String::from("layer,position,change\n");
    for ((layer, position), change) in changes.indexed_iter() {
        let _ = writeln!(csv, "{layer},{position},{change}");
    }
    out.write("grid.csv", csv)?;
    #[cfg(feature = "plot")]
    {
        use clap::ValueEnum;
        use hooked_gpt2::report::figure::{HeatMap, heat_map};
        let site = arguments.site.to_possible_value();
        let site = site.as_ref().map_or("", |site| site.get_name());
        let map = HeatMap {
            title: format!("{site}: {:?} into {:?}", arguments.clean, arguments.corrupted),
            quantity: format!("change of logit{:?} - logit{:?}", arguments.right, arguments.wrong),
            rows: ("layer", layers),
            columns: ("patched position", words),
            values: changes.view(),
        };
        out.write("grid.svg", heat_map(&map)?)?;
    }
    #[cfg(not(feature = "plot"))]
    let _ = (arguments, layers, words);
    Ok(())
}
