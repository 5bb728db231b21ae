//! The means of a sweep's metrics over its sequences.

use std::io::{self, Write};

use super::results::{axis_columns, labels};
use super::write_csv;
use crate::sweep::Results;

/// The columns behind those of the axes.
const COLUMNS: [&str; 9] =
    ["metric", "sequences", "level", "mean", "low", "high", "change", "change_low", "change_high"];

/// Writes the mean of each metric over the sequences of a sweep as CSV, with its bootstrap interval: a line for each
/// metric and each point of the axes.
///
/// The columns are the axes of the variants, by their names and labels; `metric`; `sequences`, how many the mean is over;
/// `level`, that of the intervals; `mean`, `low` and `high`, which are [`Results::mean`]; and `change`, `change_low` and
/// `change_high`, which are [`Results::mean_change`]: what differs from the base, sequence by sequence. An axis that is
/// called like another column gets `_axis` behind its name. What is not a number stands as `NaN`.
///
/// ```
/// # use hooked_gpt2::sweep::{KlDivergence, Sweep, Variants};
/// # use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, tch::Device};
/// # let checkpoint = Checkpoint::bundled()?;
/// # let (model, _) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
/// # let tokenizer = checkpoint.tokenizer()?;
/// let prompts = Batch::new([tokenizer.encode("She was a very happy")?, tokenizer.encode("It was the")?])?;
/// let variants = Variants::skipped_blocks(model.config(), &prompts)?;
/// let results = Sweep::new(&model, &prompts).plan(&variants)?.measure(&[&KlDivergence])?;
/// let mut csv = Vec::new();
/// hooked_gpt2::report::write_means_csv(&mut csv, &results, 0.95, 10_000, 0)?;
/// let csv = String::from_utf8(csv)?;
/// assert!(csv.starts_with("layer,metric,sequences,level,mean,low,high,change,change_low,change_high\n"));
/// assert!(csv.contains("\n3,kl_divergence,2,0.95,"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of `out`, and `InvalidInput` for a `level` that does not lie between 0 and 1 and for no `resamples`.
pub fn write_means_csv(
    out: impl Write,
    results: &Results,
    level: f64,
    resamples: usize,
    seed: u64,
) -> io::Result<()> {
    let refused = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
    let sequences = results.axes()[results.variant_axes().len()].len();
    let mut rows = Vec::new();
    for metric in results.metrics() {
        let means = results.mean(metric, level, resamples, seed).map_err(refused)?;
        let changes = results.mean_change(metric, level, resamples, seed).map_err(refused)?;
        for ((index, mean), change) in means.indexed_iter().zip(&changes) {
            let index: Vec<usize> = (0..means.ndim()).map(|axis| index[axis]).collect();
            let of = [metric.to_owned(), sequences.to_string(), level.to_string()];
            let numbers = [mean.mean, mean.low, mean.high, change.mean, change.low, change.high];
            let labels = labels(results, &index).into_iter().map(str::to_owned);
            let row = labels.chain(of).chain(numbers.map(|number| number.to_string()));
            rows.push(row.collect::<Vec<_>>());
        }
    }
    let axes = axis_columns(results, &COLUMNS);
    write_csv(out, axes.iter().map(String::as_str).chain(COLUMNS), rows)
}
