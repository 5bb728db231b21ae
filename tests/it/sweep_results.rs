//! What a sweep gives back besides the values of its metrics.

use std::cell::RefCell;

use hooked_gpt2::analysis::uncertainty::bootstrap_mean;
use hooked_gpt2::error::{AnalysisError, CaptureError, SweepError};
use hooked_gpt2::hook::{At, Positions};
use hooked_gpt2::intervention::Interventions;
use hooked_gpt2::report::{write_means_csv, write_results_csv, write_results_json};
use hooked_gpt2::sweep::{
    Axis, Loss, Measure, Metric, NextTokenLoss, Reading, Results, Scored, Sweep, Variants,
};
use hooked_gpt2::{Batch, Error, Precision, Result};
use ndarray::Array1;
use serde_json::Value;

use crate::support::tiny;
use crate::tolerance;

/// Of different lengths, so that the second has no position 3 and 4.
fn batch() -> Batch {
    Batch::new([vec![3, 14, 15, 92, 65], vec![35, 89, 79]]).unwrap()
}

const FACTORS: [f64; 2] = [0.5, 2.0];

fn scaled(index: &[usize]) -> Result<Interventions> {
    let mut hooks = Interventions::new();
    hooks.scale(At::resid_mid(index[0]), FACTORS[index[1]])?;
    Ok(hooks)
}

/// Each layer scaled, on axes of these names.
fn variants(layer: &str, factor: &str) -> Variants {
    let axes = [Axis::counting(layer, 3), Axis::new(factor, FACTORS)];
    Variants::over(axes, |index, _| scaled(index), &batch()).unwrap()
}

fn measured(variants: &Variants, metrics: &[&dyn Metric]) -> Results {
    let (model, batch) = (tiny(Precision::F64), batch());
    let sweep = Sweep::new(&model, &batch).score(Positions::all());
    sweep.plan(variants).unwrap().measure(metrics).unwrap()
}

#[test]
fn kept_logits_are_those_of_a_run_for_each_variant() {
    let (batch, variants) = (batch(), variants("layer", "factor"));
    for (precision, allowed) in [(Precision::F32, tolerance::F32), (Precision::F64, tolerance::F64)]
    {
        let model = tiny(precision);
        for (score, scored) in [
            (Positions::last(), [vec![4], vec![2]]),
            (Positions::range(1..3), [vec![1, 2], vec![1, 2]]),
        ] {
            let sweep = || Sweep::new(&model, &batch).score(score.clone()).keep_logits();
            let peak = sweep().plan(&variants).unwrap().peak_bytes();
            let plan = sweep().max_bytes(peak - 1).plan(&variants).unwrap();
            assert!(plan.n_passes() > 1);
            for results in [plan.measure(&[]).unwrap(), plan.measure_isolated(&[]).unwrap()] {
                let clean = model.run(&batch).execute().unwrap().logits;
                let assert_same = |found: &ndarray::Array2<f64>,
                                   logits: &hooked_gpt2::Logits,
                                   sequence: usize| {
                    assert_eq!(found.nrows(), scored[sequence].len());
                    for (row, &position) in found.outer_iter().zip(&scored[sequence]) {
                        let expected = logits.at(sequence, position).unwrap();
                        let difference = (&row - &expected).mapv(f64::abs);
                        assert!(difference.fold(0.0, |a: f64, &b| a.max(b)) <= allowed);
                    }
                };
                for sequence in 0..2 {
                    assert_same(&results.logits_of_base(sequence).unwrap(), &clean, sequence);
                    for index in [[0, 1], [1, 0], [2, 1]] {
                        let hooks = scaled(&index).unwrap();
                        let run = model.run(&batch).hooks(&hooks).execute().unwrap();
                        let found = results.logits(&index, sequence).unwrap();
                        assert_same(&found, &run.logits, sequence);
                    }
                }
                assert!(results.logits(&[3, 0], 0).is_err() && results.logits(&[0, 0], 2).is_err());
            }
            // Where the sweep was stopped, that is said.
            let stopped = plan.measure_with_progress(&[], |_| false).unwrap();
            let error = stopped.logits(&[2, 1], 0).unwrap_err();
            assert!(matches!(error, Error::Capture(CaptureError::NotCaptured { .. })), "{error}");
        }
    }
}

#[test]
fn logits_that_were_not_kept_are_not_found_and_the_error_says_how_they_are() {
    let results = measured(&variants("layer", "factor"), &[]);
    for error in [results.logits(&[0, 0], 0).unwrap_err(), results.logits_of_base(0).unwrap_err()] {
        assert!(matches!(error, Error::Sweep(SweepError::LogitsNotKept)), "{error}");
        assert!(error.to_string().contains("keep_logits"));
    }
}

/// Writes down what it is told.
#[derive(Default)]
struct Listening {
    checked: RefCell<Vec<Vec<Axis>>>,
    measured: RefCell<Vec<(Vec<String>, usize)>>,
}

impl Metric for Listening {
    fn name(&self) -> &str {
        "listening"
    }

    fn check(&self, scored: &Scored<'_>) -> Result<()> {
        self.checked.borrow_mut().push(scored.axes.to_vec());
        Ok(())
    }

    fn measure(&self, reading: &Reading<'_>) -> Result<f64> {
        let labels = reading.labels().map(str::to_owned).collect();
        self.measured.borrow_mut().push((labels, reading.sequence));
        Ok(0.0)
    }
}

#[test]
fn a_metric_is_told_the_axes_and_of_which_variant_a_reading_is() {
    let (listening, variants) = (Listening::default(), variants("layer", "factor"));
    measured(&variants, &[&listening]);
    assert_eq!(listening.checked.into_inner(), [variants.axes().to_vec()]);
    let mut measured = listening.measured.into_inner();
    measured.sort();
    measured.dedup();
    let mut expected = vec![(vec![], 0), (vec![], 1)];
    for layer in ["0", "1", "2"] {
        for factor in ["0.5", "2"] {
            let labels = [layer, factor].map(str::to_owned).to_vec();
            expected.extend([(labels.clone(), 0), (labels, 1)]);
        }
    }
    assert_eq!(measured, expected);
}

/// `0.5` at variants of layer 1 and infinite at those of layer 2, and failing at those of layer 0.
fn peculiar(reading: &Reading<'_>) -> Result<f64> {
    match reading.index {
        Some(&[0, _]) => Err(Error::other("a, \"b\"")),
        Some(&[2, _]) => Ok(f64::INFINITY),
        _ => Ok(0.5),
    }
}

#[test]
fn the_csv_of_results_has_a_line_for_each_number() {
    let peculiar = Measure::new("peculiar", peculiar);
    let results = measured(&variants("layer", "a, b"), &[&NextTokenLoss, &peculiar]);
    let mut out = Vec::new();
    write_results_csv(&mut out, &results).unwrap();
    let mut reader = csv::Reader::from_reader(&out[..]);
    let headings: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let expected = ["layer", "a, b", "sequence", "scored_position", "metric", "value", "base"];
    assert_eq!(headings, expected);
    let mut lines = 0;
    for record in reader.records() {
        let record = record.unwrap();
        let number = |column: usize| record[column].parse::<f64>().unwrap();
        let (layer, sequence, position) =
            (number(0) as usize, number(2) as usize, number(3) as usize);
        let factor = FACTORS.iter().position(|&factor| factor == number(1)).unwrap();
        assert!(position < batch().sequences()[sequence].len());
        let value = results.values(&record[4]).unwrap()[[layer, factor, sequence, position]];
        let base = results.base(&record[4]).unwrap()[[sequence, position]];
        assert_eq!([number(5).to_bits(), number(6).to_bits()], [value, base].map(f64::to_bits));
        lines += 1;
    }
    assert_eq!(lines, 2 * 3 * 2 * (5 + 3));
}

#[test]
fn positions_in_the_csv_are_those_of_the_text() {
    let (model, batch) = (tiny(Precision::F64), batch());
    let variants = variants("layer", "factor");
    let plan = Sweep::new(&model, &batch).plan(&variants).unwrap();
    let mut out = Vec::new();
    write_results_csv(&mut out, &plan.measure(&[&Loss::of(3)]).unwrap()).unwrap();
    let text = String::from_utf8(out).unwrap();
    let line = |start: &str| text.lines().any(|line| line.starts_with(start));
    assert!(line("2,0.5,0,4,loss,") && line("2,0.5,1,2,loss,"), "{text}");
}

#[test]
fn an_axis_that_is_called_like_another_column_gets_a_name_of_its_own() {
    for (names, columns) in [
        (["value", "sequence"], "value_axis,sequence_axis,"),
        (["x", "x"], "x,x_axis,"),
        (["metric", "metric"], "metric_axis,metric_axis_axis,"),
    ] {
        let mut out = Vec::new();
        write_results_csv(&mut out, &measured(&variants(names[0], names[1]), &[])).unwrap();
        assert!(String::from_utf8(out).unwrap().starts_with(columns), "{columns}");
    }
}

#[test]
fn the_json_of_results_holds_what_the_csv_holds_and_why_numbers_are_missing() {
    let peculiar = Measure::new("peculiar", peculiar);
    let results = measured(&variants("layer", "value"), &[&NextTokenLoss, &peculiar]);
    let (mut csv, mut json) = (Vec::new(), Vec::new());
    write_results_csv(&mut csv, &results).unwrap();
    write_results_json(&mut json, &results).unwrap();
    let json: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["schema_version"], 1);
    let axes = serde_json::json!([
        { "name": "layer", "column": "layer", "labels": ["0", "1", "2"] },
        { "name": "value", "column": "value_axis", "labels": ["0.5", "2"] },
    ]);
    assert_eq!(json["axes"], axes);
    let rows = json["rows"].as_array().unwrap();
    let mut reader = csv::Reader::from_reader(&csv[..]);
    let headings = reader.headers().unwrap().clone();
    let records: Vec<csv::StringRecord> =
        reader.records().map(std::result::Result::unwrap).collect();
    assert_eq!(records.len(), rows.len());
    for (record, row) in records.iter().zip(rows) {
        assert_eq!(row.as_object().unwrap().len(), headings.len());
        for (heading, cell) in headings.iter().zip(record) {
            match &row[heading] {
                Value::String(text) => assert_eq!(text, cell),
                Value::Number(number) => {
                    assert_eq!(number.as_f64().unwrap(), cell.parse::<f64>().unwrap());
                }
                Value::Null => assert!(!cell.parse::<f64>().unwrap().is_finite(), "{cell}"),
                other => panic!("{heading}: {other}"),
            }
        }
    }
    let failure = serde_json::json!({
        "metric": "peculiar", "count": 2 * (5 + 3),
        "first": "layer 0, value 0.5, sequence 0, position 0", "reason": "a, \"b\"",
    });
    assert_eq!(json["failures"], serde_json::json!([failure]));
    assert_eq!(json["unchanged"], serde_json::json!([]));
}

#[test]
fn the_json_of_results_lists_the_variants_that_changed_nothing() {
    let (model, batch) = (tiny(Precision::F64), batch());
    let variants = Variants::over(
        [Axis::new("factor", ["one", "two"])],
        |index, sequence| {
            let mut hooks = Interventions::new();
            hooks
                .scale(At::resid_mid(1), if (index[0], sequence) == (0, 1) { 1.0 } else { 2.0 })?;
            Ok(hooks)
        },
        &batch,
    );
    let variants = variants.unwrap();
    let results = Sweep::new(&model, &batch).plan(&variants).unwrap().measure(&[]).unwrap();
    let mut json = Vec::new();
    write_results_json(&mut json, &results).unwrap();
    let json: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["unchanged"], serde_json::json!([{ "factor": "one", "sequence": 1 }]));
}

#[test]
fn means_are_over_sequences_of_the_means_over_their_positions() {
    let results = measured(&variants("layer", "factor"), &[&NextTokenLoss]);
    let (values, base) =
        (results.values("next_token_loss").unwrap(), results.base("next_token_loss").unwrap());
    let means = results.mean("next_token_loss", 0.9, 500, 7).unwrap();
    let changes = results.mean_change("next_token_loss", 0.9, 500, 7).unwrap();
    assert_eq!((means.shape(), changes.shape()), (&[3, 2][..], &[3, 2][..]));
    for (layer, factor) in (0..3).flat_map(|layer| [(layer, 0), (layer, 1)]) {
        // Of five tokens four have a next one, of three two.
        let mean = |of: &dyn Fn(usize, usize) -> f64| -> Array1<f64> {
            let of = |sequence, count: usize| {
                (0..count).map(|at| of(sequence, at)).sum::<f64>() / count as f64
            };
            ndarray::array![of(0, 4), of(1, 2)]
        };
        let value = |sequence, at| values[[layer, factor, sequence, at]];
        for (found, expected) in [
            (means[[layer, factor]], mean(&value)),
            (
                changes[[layer, factor]],
                mean(&|sequence, at| value(sequence, at) - base[[sequence, at]]),
            ),
        ] {
            let expected = bootstrap_mean(expected.view(), 0.9, 500, 7).unwrap();
            for (found, expected) in [
                (found.mean, expected.mean),
                (found.low, expected.low),
                (found.high, expected.high),
            ] {
                approx::assert_relative_eq!(found, expected, max_relative = 1e-12);
            }
            assert!(found.low < found.high);
        }
    }
}

#[test]
fn the_csv_of_means_has_a_line_for_each_metric_and_variant() {
    let peculiar = Measure::new("peculiar", peculiar);
    let results = measured(&variants("layer", "mean"), &[&NextTokenLoss, &peculiar]);
    let mut out = Vec::new();
    write_means_csv(&mut out, &results, 0.9, 500, 7).unwrap();
    let mut reader = csv::Reader::from_reader(&out[..]);
    let headings = reader.headers().unwrap().clone();
    assert_eq!(
        headings.iter().collect::<Vec<_>>().join(","),
        "layer,mean_axis,metric,sequences,level,mean,low,high,change,change_low,change_high"
    );
    let records: Vec<_> = reader.records().map(std::result::Result::unwrap).collect();
    let mut seen = std::collections::BTreeSet::new();
    for record in &records {
        let number = |column: usize| record[column].parse::<f64>().unwrap();
        let factor = FACTORS.iter().position(|&factor| factor == number(1)).unwrap();
        let (metric, at) = (&record[2], [number(0) as usize, factor]);
        assert!(seen.insert((metric.to_owned(), at)));
        assert_eq!([number(3), number(4)], [2.0, 0.9]);
        let mean = results.mean(metric, 0.9, 500, 7).unwrap()[at];
        let change = results.mean_change(metric, 0.9, 500, 7).unwrap()[at];
        let expected = [mean.mean, mean.low, mean.high, change.mean, change.low, change.high];
        let found: Vec<f64> = (5..11).map(number).collect();
        let bits = |numbers: &[f64]| numbers.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&found), bits(&expected), "{record:?}");
        assert!(metric == "peculiar" || mean.low > change.low, "{record:?}");
    }
    assert_eq!(records.len(), 2 * 3 * 2);
    for (level, resamples) in [(1.0, 100), (0.95, 0)] {
        let refused = write_means_csv(Vec::new(), &results, level, resamples, 0).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::InvalidInput);
        assert!(refused.to_string().contains("allowed: "), "{refused}");
    }
}

#[test]
fn the_mean_of_what_failed_somewhere_is_no_number() {
    let peculiar = Measure::new("peculiar", peculiar);
    let results = measured(&variants("layer", "factor"), &[&peculiar]);
    let means = results.mean("peculiar", 0.95, 100, 0).unwrap();
    for layer in [0, 2] {
        let found = means[[layer, 1]];
        assert!(found.mean.is_nan() && found.low.is_nan() && found.high.is_nan());
    }
    assert_eq!([means[[1, 1]].mean, means[[1, 1]].low, means[[1, 1]].high], [0.5; 3]);
    for (level, resamples) in [(1.0, 100), (f64::NAN, 100), (0.95, 0)] {
        let error = results.mean("peculiar", level, resamples, 0).unwrap_err();
        assert!(matches!(error, Error::Analysis(AnalysisError::OutOfRange { .. })), "{error}");
    }
    assert!(matches!(results.mean_change("loss", 0.95, 100, 0), Err(Error::UnknownName { .. })));
}
