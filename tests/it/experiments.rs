//! The experiments as programs: what they hand out, and that a replay gives the same.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use hooked_gpt2::experiment::Verdict;
use hooked_gpt2::hook::Positions;
use hooked_gpt2::intervention::Interventions;
use hooked_gpt2::report::{Cell, Manifest, Part, Report};
use hooked_gpt2::tch::Device;
use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision};

use crate::support::example;

/// Few prompts, so that all of them are done in seconds.
const RUNS: [(&str, &[&str]); 5] = [
    ("logit_lens", &["--count", "4"]),
    ("skip_layer", &["--prompt", "She was a very happy woman.", "--dtype", "f64"]),
    ("downstream_impact", &["--count", "3", "--factors", "0.5,2"]),
    ("ioi", &["--count", "4"]),
    ("measure_bias", &["--count", "20"]),
];

fn run(experiment: &str, arguments: &[&str], out: &Path) -> Output {
    let mut command = Command::new(example(experiment));
    command.args(arguments).args(["--threads", "1", "--out", out.to_str().unwrap()]);
    command.output().unwrap()
}

fn replay(manifest: &Path) -> (bool, String) {
    let output = Command::new(example("replay")).arg(manifest).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    (output.status.success(), said + &String::from_utf8(output.stderr).unwrap())
}

fn column(report: &Report, table: &str, column: usize) -> Vec<f64> {
    let table = report.tables().find(|found| found.name() == table).unwrap();
    let number = |row: &Vec<Cell>| match row[column] {
        Cell::Number(number) => number,
        ref other => panic!("{other:?}"),
    };
    table.rows().iter().map(number).collect()
}

#[test]
fn every_experiment_hands_out_a_report_that_a_replay_gives_again() {
    let weights = Checkpoint::bundled().unwrap().weights_sha256().unwrap();
    for (experiment, arguments) in RUNS {
        let out = tempfile::tempdir().unwrap();
        let output = run(experiment, arguments, out.path());
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(!text.contains("-0.00 ") && text.contains("BOS: omit"), "{text}");

        let report = Report::read(out.path().join(format!("{experiment}.json"))).unwrap();
        assert_eq!(report.name, experiment);
        for table in report.tables() {
            // What another reader of CSV finds is what the report says.
            let path = out.path().join(format!("{}.csv", table.name()));
            let mut csv = csv::Reader::from_path(path).unwrap();
            let rows: Vec<_> = csv.records().map(Result::unwrap).collect();
            let cells = |row: &Vec<Cell>| row.iter().map(Cell::to_string).collect::<Vec<_>>();
            assert_eq!(rows, table.rows().iter().map(cells).collect::<Vec<_>>());
        }
        for part in &report.parts {
            if let Part::Figure { name, .. } = part {
                assert!(out.path().join(format!("{name}.svg")).exists());
            }
        }
        if cfg!(feature = "html") {
            let html = out.path().join(format!("{experiment}.html"));
            let html = std::fs::read_to_string(html).unwrap();
            assert!(html.len() < 1 << 20 && html.contains(&report.title));
        }

        let manifest = out.path().join("manifest.json");
        assert_eq!(Manifest::read(&manifest).unwrap().weights, weights);
        let (is_same, said) = replay(&manifest);
        assert!(is_same && said.contains("all the same"), "{said}");
    }
}

#[test]
fn a_replay_says_where_the_numbers_are_others_and_whose_weights_they_were() {
    let out = tempfile::tempdir().unwrap();
    assert!(run("downstream_impact", RUNS[2].1, out.path()).status.success());
    let path = out.path().join("downstream_impact.json");
    let json = std::fs::read_to_string(&path).unwrap();
    // The first norm is the factor.
    assert!(json.contains("0.5,"));
    std::fs::write(&path, json.replacen("          0.5,", "          0.75,", 1)).unwrap();
    let manifest = out.path().join("manifest.json");
    let (is_same, said) = replay(&manifest);
    assert!(
        !is_same && said.contains("at most 2.5e-1 apart (table norms, row 0, × 0.5)"),
        "{said}"
    );

    let mut changed = Manifest::read(&manifest).unwrap();
    changed.weights = BTreeMap::from([("model.safetensors".to_owned(), "0".repeat(64))]);
    std::fs::write(&manifest, serde_json::to_string(&changed).unwrap()).unwrap();
    let (is_same, said) = replay(&manifest);
    assert!(!is_same && said.contains("the weights are not those of then"), "{said}");

    changed.program = "../../bin/sh".to_owned();
    std::fs::write(&manifest, serde_json::to_string(&changed).unwrap()).unwrap();
    let (is_same, said) = replay(&manifest);
    assert!(!is_same && said.contains("no program \"../../bin/sh\""), "{said}");
}

/// By full runs, one at a time, instead of the sweep.
#[test]
fn what_a_skipped_block_costs_is_what_a_run_without_it_says() {
    let out = tempfile::tempdir().unwrap();
    assert!(run("skip_layer", RUNS[1].1, out.path()).status.success());
    let report = Report::read(out.path().join("skip_layer.json")).unwrap();
    let checkpoint = Checkpoint::bundled().unwrap();
    let (model, _) = Gpt2::load(&checkpoint, Precision::F64, Device::Cpu).unwrap();
    let tokens = checkpoint.tokenizer().unwrap().encode(RUNS[1].1[1]).unwrap();
    let prompt = Batch::single(tokens).unwrap();
    let loss = |hooks: &Interventions| {
        let run = model.run(&prompt).hooks(hooks).unembed(Positions::all());
        run.execute().unwrap().logits.mean_loss(0).unwrap()
    };
    let clean = loss(&Interventions::new());
    let given = column(&report, "by_block", 1);
    for (layer, given) in given.into_iter().enumerate() {
        let mut hooks = Interventions::new();
        hooks.skip(layer);
        approx::assert_abs_diff_eq!(given, loss(&hooks) - clean, epsilon = 1e-9);
    }
    let runs = column(&report, "by_run", 2);
    let mut hooks = Interventions::new();
    for layer in 0..12 {
        hooks.skip(layer);
    }
    approx::assert_abs_diff_eq!(runs[77], loss(&hooks) - clean, epsilon = 1e-9);
    // Of one text nothing can be told.
    let claims = report.parts.iter().filter_map(|part| match part {
        Part::Claim(claim) => Some(claim.verdict),
        _ => None,
    });
    assert_eq!(claims.collect::<Vec<_>>(), [Verdict::CannotBeTold]);
}
