//! All that a sweep measured, in long form: a row for each number.

use std::io::{self, Write};

use ndarray::Dimension;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{write_csv, write_json};
use crate::sweep::Results;

/// The version of the JSON: it grows when a key goes or comes to mean something else.
const SCHEMA_VERSION: u32 = 1;

/// The columns behind those of the axes.
const COLUMNS: [&str; 5] = ["sequence", "scored_position", "metric", "value", "base"];

/// Writes what a sweep measured as CSV, a line for each number, as `pandas` and R read it.
///
/// The columns are the axes of the variants, by their names and labels; `sequence`, the index in the batch;
/// `scored_position`, the position in the sequence; `metric`; `value`; and `base`, what the same metric is of the base
/// there. An axis that is called like another column gets `_axis` behind its name. What is not a number stands as `NaN`.
///
/// ```
/// # use hooked_gpt2::sweep::{DeltaLoss, Sweep, Variants};
/// # use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, tch::Device};
/// # let checkpoint = Checkpoint::bundled()?;
/// # let (model, _) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
/// # let prompt = Batch::single(checkpoint.tokenizer()?.encode("She was a very happy")?)?;
/// let variants = Variants::layer_factors(0..model.config().n_layers, &[0.6], &prompt)?;
/// let results = Sweep::new(&model, &prompt).plan(&variants)?.measure(&[&DeltaLoss::of(1597)])?;
/// let mut csv = Vec::new();
/// hooked_gpt2::report::write_results_csv(&mut csv, &results)?;
/// let csv = String::from_utf8(csv)?;
/// assert!(csv.starts_with("layer,factor,sequence,scored_position,metric,value,base\n0,0.6,0,4,delta_loss,"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of `out`.
pub fn write_results_csv(out: impl Write, results: &Results) -> io::Result<()> {
    let axes = axis_columns(results, &COLUMNS);
    let headings = axes.iter().map(String::as_str).chain(COLUMNS);
    let rows = rows(results).map(|row| {
        let numbers = [row.sequence, row.position].map(|number| number.to_string());
        let cells = row.labels.into_iter().map(str::to_owned).chain(numbers);
        let measured = [row.metric.to_owned(), row.value.to_string(), row.base.to_string()];
        cells.chain(measured).collect::<Vec<_>>()
    });
    write_csv(out, headings, rows)
}

/// Writes what a sweep measured as one JSON document.
///
/// | key | |
/// |---|---|
/// | `schema_version` | 1: it grows when a key goes or comes to mean something else |
/// | `axes` | the axes of the variants, each with `name`, the name of its `column`, and `labels` |
/// | `rows` | the lines of the [CSV](write_results_csv), each an object whose keys are the columns |
/// | `failures` | the metrics that failed somewhere: `metric`, `count`, the `first` place and the `reason` there |
/// | `unchanged` | the variants that changed nothing, each an object of the axes' columns and `sequence` |
///
/// Labels are texts, and all else is numbers; what is not a finite number is `null`.
///
/// # Errors
/// Those of `out`.
pub fn write_results_json(out: impl Write, results: &Results) -> io::Result<()> {
    write_json(out, &Document(results))
}

/// The name of each axis's column: none is the name of another column, nor of those `behind` the axes.
pub(super) fn axis_columns(results: &Results, behind: &[&str]) -> Vec<String> {
    let mut taken: Vec<String> = behind.iter().map(|&column| column.to_owned()).collect();
    for axis in results.variant_axes() {
        let mut name = axis.name.clone();
        while taken.contains(&name) {
            name.push_str("_axis");
        }
        taken.push(name);
    }
    taken.split_off(behind.len())
}

/// One number, and what it is of.
struct Row<'r> {
    labels: Vec<&'r str>,
    sequence: usize,
    position: usize,
    metric: &'r str,
    value: f64,
    base: f64,
}

/// The labels of a variant, given its index along the axes.
pub(super) fn labels<'r>(results: &'r Results, index: &[usize]) -> Vec<&'r str> {
    let along = results.variant_axes().iter().zip(index);
    along.map(|(axis, &index)| &*axis.labels[index]).collect()
}

/// All numbers: metric by metric, the last axis fastest. Sequences have as many as they have scored positions.
fn rows(results: &Results) -> impl Iterator<Item = Row<'_>> {
    // All metrics that are listed are found.
    let found = results.metrics().filter_map(|metric| {
        let (values, base) = (results.values(metric).ok()?, results.base(metric).ok()?);
        Some((metric, values, base))
    });
    found.flat_map(move |(metric, values, base)| {
        let n_axes = results.variant_axes().len();
        let indices = ndarray::indices(values.raw_dim()).into_iter();
        indices.filter_map(move |index| {
            let index = index.slice();
            let (sequence, scored) = (index[n_axes], index[n_axes + 1]);
            let position = *results.positions(sequence).ok()?.get(scored)?;
            let labels = labels(results, &index[..n_axes]);
            let (value, base) = (values[index], base[[sequence, scored]]);
            Some(Row { labels, sequence, position, metric, value, base })
        })
    })
}

struct Document<'r>(&'r Results);

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let results = self.0;
        let columns = axis_columns(results, &COLUMNS);
        let axes = results.variant_axes().iter().zip(&columns);
        let axes =
            axes.map(|(axis, column)| SavedAxis { name: &axis.name, column, labels: &axis.labels });
        let failures = results.failures().map(|failure| SavedFailure {
            metric: &failure.metric,
            count: failure.count,
            first: &failure.first,
            reason: format!("{:#}", failure.reason),
        });
        let unchanged = results.unchanged();
        let unchanged = unchanged.iter().map(|(index, sequence)| SavedVariant {
            columns: &columns,
            labels: labels(results, index),
            sequence: *sequence,
        });
        let mut document = serializer.serialize_map(Some(5))?;
        document.serialize_entry("schema_version", &SCHEMA_VERSION)?;
        document.serialize_entry("axes", &axes.collect::<Vec<_>>())?;
        document.serialize_entry("rows", &Rows { results, columns: &columns })?;
        document.serialize_entry("failures", &failures.collect::<Vec<_>>())?;
        document.serialize_entry("unchanged", &unchanged.collect::<Vec<_>>())?;
        document.end()
    }
}

#[derive(Serialize)]
struct SavedAxis<'r> {
    name: &'r str,
    column: &'r str,
    labels: &'r [String],
}

#[derive(Serialize)]
struct SavedFailure<'r> {
    metric: &'r str,
    count: usize,
    first: &'r str,
    reason: String,
}

struct SavedVariant<'r> {
    columns: &'r [String],
    labels: Vec<&'r str>,
    sequence: usize,
}

impl Serialize for SavedVariant<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut variant = serializer.serialize_map(Some(self.labels.len() + 1))?;
        for (column, label) in self.columns.iter().zip(&self.labels) {
            variant.serialize_entry(column, label)?;
        }
        variant.serialize_entry("sequence", &self.sequence)?;
        variant.end()
    }
}

/// The rows as they are written, one after the other: all of them at once may be more than memory holds.
struct Rows<'r> {
    results: &'r Results,
    columns: &'r [String],
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rows = rows(self.results);
        serializer.collect_seq(rows.map(|row| SavedRow { columns: self.columns, row }))
    }
}

struct SavedRow<'r> {
    columns: &'r [String],
    row: Row<'r>,
}

impl Serialize for SavedRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Row { labels, sequence, position, metric, value, base } = &self.row;
        let mut saved = serializer.serialize_map(Some(self.columns.len() + COLUMNS.len()))?;
        for (column, label) in self.columns.iter().zip(labels) {
            saved.serialize_entry(column, label)?;
        }
        saved.serialize_entry("sequence", sequence)?;
        saved.serialize_entry("scored_position", position)?;
        saved.serialize_entry("metric", metric)?;
        saved.serialize_entry("value", value)?;
        saved.serialize_entry("base", base)?;
        saved.end()
    }
}
