//! The whole sweep on the bundled model, against Hugging Face with hooks and SciPy.

use hooked_gpt2::data::Bos;
use hooked_gpt2::error::{
    AnalysisError, BatchError, ExperimentError, InterventionError, SelectionError, SweepError,
    TokenizerError,
};
use hooked_gpt2::experiment::einstein::{EinsteinReport, EinsteinSweep, Reason, Verdict};
use hooked_gpt2::tch::Device;
use hooked_gpt2::{Batch, Checkpoint, Error, Gpt2, Precision, Result};
use serde_json::Value;

use crate::support::{copy_of, fixtures};
use crate::tolerance;

fn run(sweep: &EinsteinSweep, precision: Precision) -> Result<EinsteinReport> {
    let checkpoint = Checkpoint::bundled()?;
    let (model, _) = Gpt2::load(&checkpoint, precision, Device::Cpu)?;
    sweep.run(checkpoint.name(), &model, checkpoint.tokenizer()?, |_| ())
}

/// Compares every number of `reference` with ours; texts and token ids must be equal.
fn assert_agree(ours: &Value, reference: &Value, allowed: f64, path: &str) {
    match (ours, reference) {
        (Value::Object(ours), Value::Object(reference)) => {
            for (key, expected) in reference {
                let path = format!("{path}.{key}");
                let found = ours.get(key).unwrap_or_else(|| panic!("{path} is missing"));
                assert_agree(found, expected, allowed, &path);
            }
        }
        (Value::Array(ours), Value::Array(reference)) => {
            assert_eq!(ours.len(), reference.len(), "{path}");
            for (index, (ours, reference)) in ours.iter().zip(reference).enumerate() {
                assert_agree(ours, reference, allowed, &format!("{path}[{index}]"));
            }
        }
        (Value::Number(ours), Value::Number(reference)) if reference.is_f64() => {
            let (ours, reference) = (ours.as_f64().unwrap(), reference.as_f64().unwrap());
            let difference = (ours - reference).abs();
            assert!(difference <= allowed, "{path}: {ours}, the reference has {reference}");
        }
        _ => assert_eq!(ours, reference, "{path}"),
    }
}

#[test]
fn the_sweep_equals_hugging_face_and_scipy() {
    let path = fixtures().join("einstein_bundled.json");
    let reference: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    for (precision, allowed) in
        [(Precision::F32, tolerance::READING_F32), (Precision::F64, tolerance::F64)]
    {
        let report = run(&EinsteinSweep::default(), precision).unwrap();
        let ours = serde_json::to_value(&report).unwrap();
        assert_agree(&ours, &reference[precision.to_string()], allowed, &precision.to_string());
    }
}

#[test]
fn the_json_has_the_documented_keys_and_no_others() {
    let report = serde_json::to_value(run(&EinsteinSweep::default(), Precision::F32).unwrap());
    let report = report.unwrap();
    let keys = |value: &Value| -> Vec<String> {
        let mut keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    assert_eq!(
        keys(&report),
        [
            "clean",
            "environment",
            "findings",
            "focus_layer",
            "layers",
            "least_change",
            "model",
            "options",
            "prompt",
            "prompt_tokens",
            "scale",
            "target",
            "target_token",
            "work"
        ]
    );
    assert_eq!(keys(&report["model"]), ["d_model", "d_vocab", "n_heads", "n_layers", "name"]);
    assert_eq!(keys(&report["environment"]), ["device", "dtype", "versions"]);
    assert_eq!(keys(&report["environment"]["versions"]), ["hooked-gpt2"]);
    assert_eq!(
        keys(&report["options"]),
        ["bos", "focus_layer", "layers", "prompt", "scale", "target", "top_k"]
    );
    assert_eq!(keys(&report["work"]), ["block_rows", "naive_block_rows", "passes"]);
    assert_eq!(keys(&report["clean"]), ["entropy", "loss", "probability", "rank", "top_k"]);
    assert_eq!(keys(&report["clean"]["top_k"][0]), ["log_prob", "logit", "text", "token"]);
    assert_eq!(
        keys(&report["layers"][0]),
        [
            "delta_loss",
            "entropy",
            "largest_logit_change",
            "layer",
            "logit_std_ratio",
            "loss",
            "mean_logit_shift",
            "pearson",
            "probability",
            "rank",
            "share_shrunk",
            "top_k"
        ]
    );
    assert_eq!(report["findings"].as_array().unwrap().len(), 3);
    assert_eq!(keys(&report["findings"][0]), ["claim", "layers", "parts", "reason", "verdict"]);
    assert_eq!(
        keys(&report["findings"][0]["parts"][0]),
        ["holds", "measured", "needed", "quantity", "words"]
    );
    assert_eq!(report["findings"][0]["verdict"], "does_not_hold");
    assert_eq!(report["findings"][0]["parts"][0]["needed"]["at_most"], 0.99);
}

#[test]
fn the_json_says_what_was_asked_and_what_it_was_computed_with() {
    let sweep = EinsteinSweep {
        scale: 0.8,
        layers: Some(vec![9, 4]),
        focus_layer: Some(9),
        top_k: 3,
        ..EinsteinSweep::default()
    };
    let report = serde_json::to_value(run(&sweep, Precision::F64).unwrap()).unwrap();
    assert_eq!(report["environment"]["dtype"], "f64");
    assert_eq!(report["environment"]["device"], "cpu");
    assert_eq!(report["environment"]["versions"]["hooked-gpt2"], env!("CARGO_PKG_VERSION"));
    assert_eq!(report["focus_layer"], 9);
    assert_eq!(report["options"]["layers"], serde_json::json!([9, 4]));
    assert_eq!(report["options"]["focus_layer"], 9);
    assert_eq!(report["options"]["top_k"], 3);
    assert_eq!(report["options"]["scale"], 0.8);
    let reason = "the factor is 0.8, the published one 0.6";
    assert_eq!(report["findings"][0]["verdict"], "cannot_be_told");
    assert_eq!(report["findings"][0]["reason"], reason);
    // All layers and a focus of the library's choosing are none that was asked for.
    let report = serde_json::to_value(run(&EinsteinSweep::default(), Precision::F32).unwrap());
    let report = report.unwrap();
    assert!(report["options"]["layers"].is_null() && report["options"]["focus_layer"].is_null());
    assert_eq!(
        (&report["focus_layer"], &report["environment"]["dtype"]),
        (&2.into(), &"f32".into())
    );
}

#[test]
fn a_factor_on_the_last_layer_is_divided_out() {
    let sweep =
        EinsteinSweep { layers: Some(vec![11]), focus_layer: Some(11), ..EinsteinSweep::default() };
    for precision in [Precision::F32, Precision::F64] {
        let report = run(&sweep, precision).unwrap();
        let last = &report.layers[0];
        assert!(last.largest_logit_change < 1e-4, "{}", last.largest_logit_change);
        assert!(report.is_divided_out(last) && !report.is_evidence(last));
    }
    // Of a negative factor its sign is left.
    let report = run(&EinsteinSweep { scale: -0.6, ..sweep }, Precision::F64).unwrap();
    let last = &report.layers[0];
    assert!(last.largest_logit_change > 1.0 && last.delta_loss.abs() > 0.1);
    assert!(!report.is_divided_out(last) && report.is_evidence(last));
}

#[test]
fn a_last_layer_beside_which_the_epsilon_weighs_is_evidence() {
    let copy = copy_of(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo-model"));
    let path = copy.path().join("config.json");
    let config = std::fs::read_to_string(&path).unwrap();
    let large = config.replace("1e-05", "1.0");
    assert_ne!(large, config);
    std::fs::write(&path, large).unwrap();
    let checkpoint = Checkpoint::directory(copy.path()).unwrap();
    let (model, _) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu).unwrap();
    let sweep = EinsteinSweep { layers: Some(vec![11]), ..EinsteinSweep::default() };
    let report = sweep.run("x", &model, checkpoint.tokenizer().unwrap(), |_| ()).unwrap();
    let last = &report.layers[0];
    assert!(last.largest_logit_change > 0.01, "{}", last.largest_logit_change);
    assert!(!report.is_divided_out(last) && report.is_evidence(last));
}

#[test]
fn none_of_the_published_findings_holds_on_the_bundled_model() {
    let report = run(&EinsteinSweep::default(), Precision::F32).unwrap();
    let verdicts: Vec<_> = report.findings.iter().map(|finding| finding.verdict).collect();
    assert_eq!(verdicts, [Verdict::DoesNotHold; 3]);
    // What is said of layer 2 is what was read of it.
    let measured = |part: usize| report.findings[0].parts[part].measured;
    let row = report.layer(2).unwrap();
    assert_eq!(report.findings[0].layers, [2]);
    assert_eq!(measured(0), Some(row.logit_std_ratio));
    assert_eq!(measured(1), Some(row.share_shrunk));
    assert_eq!(measured(2), row.pearson);
}

#[test]
fn the_end_of_text_before_the_prompt_makes_it_another_one() {
    let sweep = EinsteinSweep { bos: Bos::Prepend, layers: Some(vec![2]), ..Default::default() };
    let report = run(&sweep, Precision::F64).unwrap();
    let (checkpoint, omitted) = (Checkpoint::bundled().unwrap(), EinsteinSweep::default());
    let tokens = checkpoint.tokenizer().unwrap().encode(&omitted.prompt).unwrap();
    assert_eq!(report.prompt_tokens, [vec![0], tokens].concat());
    let (model, _) = Gpt2::load(&checkpoint, Precision::F64, Device::Cpu).unwrap();
    let prompt = Batch::single(report.prompt_tokens.clone()).unwrap();
    let logits = model.run(&prompt).execute().unwrap().logits.last(0).unwrap();
    let difference =
        (&report.clean_logits - &logits).mapv(f64::abs).into_iter().fold(0.0, f64::max);
    assert!(difference <= tolerance::F64, "{difference}");
    assert_eq!(report.findings[0].reason, Some(Reason::OtherPrompt));
}

#[test]
fn a_factor_of_one_changes_nothing_and_has_no_verdict() {
    for precision in [Precision::F32, Precision::F64, Precision::Bf16] {
        let report = run(&EinsteinSweep { scale: 1.0, ..EinsteinSweep::default() }, precision);
        let report = report.unwrap();
        assert!(report.layers.iter().all(|row| !report.is_evidence(row)), "{precision}");
        assert!(report.layers.iter().all(|row| !report.is_divided_out(row)), "{precision}");
        for finding in &report.findings {
            assert_eq!(finding.verdict, Verdict::CannotBeTold);
            assert_eq!(finding.reason, Some(Reason::FactorOfOne));
        }
    }
}

#[test]
fn the_share_of_shrunk_logits_and_the_largest_change_are_those_of_the_focus_logits() {
    let mut falls_most = Vec::new();
    for focus_layer in [2, 9] {
        let focus_layer = Some(focus_layer);
        let sweep = EinsteinSweep { focus_layer, ..EinsteinSweep::default() };
        let report = run(&sweep, Precision::F64).unwrap();
        let (clean, scaled) = (&report.clean_logits, &report.focus_logits);
        let shrunk = clean.iter().zip(scaled).filter(|(clean, scaled)| scaled.abs() < clean.abs());
        let focus = report.focus().unwrap();
        assert_eq!(focus.share_shrunk, shrunk.count() as f64 / clean.len() as f64);
        let changes = scaled - clean;
        let rise = changes.iter().copied().fold(0.0, f64::max);
        let fall = changes.iter().map(|change| -change).fold(0.0, f64::max);
        assert_eq!(focus.largest_logit_change, rise.max(fall));
        falls_most.push(fall > rise);
    }
    assert_eq!(falls_most, [false, true]);
}

#[test]
fn chosen_layers_are_swept_once_each_in_order() {
    let sweep = EinsteinSweep {
        layers: Some(vec![7, 5, 7]),
        focus_layer: None,
        ..EinsteinSweep::default()
    };
    let mut told = Vec::new();
    let checkpoint = Checkpoint::bundled().unwrap();
    let (model, _) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu).unwrap();
    let report = sweep
        .run("x", &model, checkpoint.tokenizer().unwrap(), |progress| {
            told.push((progress.done, progress.total))
        })
        .unwrap();
    let layers: Vec<_> = report.layers.iter().map(|reading| reading.layer).collect();
    assert_eq!((layers, report.focus_layer), (vec![5, 7], 5));
    // Twelve blocks of the clean run, and those after the fifth and the seventh.
    let rows = report.prompt_tokens.len() * (12 + 6 + 4);
    assert_eq!((told.len(), told[11]), (12, (rows, rows)));
    assert_eq!((report.work.block_rows, report.work.passes), (rows, 1));
    assert_eq!(report.work.naive_block_rows, report.prompt_tokens.len() * 12 * 3);
    let untold = |finding: usize| report.findings[finding].verdict == Verdict::CannotBeTold;
    assert!(untold(0) && untold(1) && untold(2));
}

#[test]
fn bad_sweeps_are_typed_errors() {
    let error = |change: &dyn Fn(&mut EinsteinSweep)| {
        let mut sweep = EinsteinSweep::default();
        change(&mut sweep);
        run(&sweep, Precision::F32).unwrap_err()
    };
    assert!(matches!(
        error(&|sweep| sweep.prompt.clear()),
        Error::Batch(BatchError::EmptySequence { .. })
    ));
    assert!(matches!(
        error(&|sweep| sweep.prompt = " word".repeat(300)),
        Error::Batch(BatchError::SequenceTooLong { given: 300, n_ctx: 256, .. })
    ));
    assert!(matches!(
        error(&|sweep| sweep.target.clear()),
        Error::Tokenizer(TokenizerError::NotOneToken { .. })
    ));
    assert!(matches!(
        error(&|sweep| sweep.scale = f64::NAN),
        Error::Intervention(InterventionError::NotFinite { .. })
    ));
    assert!(matches!(
        error(&|sweep| sweep.layers = Some(vec![])),
        Error::Experiment(ExperimentError::NoLayers)
    ));
    assert!(matches!(
        error(&|sweep| sweep.layers = Some(vec![12])),
        Error::Selection(SelectionError::LayerOutOfRange { given: 12, n_layers: 12 })
    ));
    assert!(matches!(
        error(&|sweep| sweep.focus_layer = Some(12)),
        Error::Selection(SelectionError::LayerOutOfRange { .. })
    ));
    assert!(matches!(
        error(&|sweep| (sweep.layers, sweep.focus_layer) = (Some(vec![3]), Some(2))),
        Error::Experiment(ExperimentError::FocusNotSwept { given: 2, .. })
    ));
    for top_k in [0, 8193] {
        assert!(matches!(
            error(&|sweep| sweep.top_k = top_k),
            Error::Analysis(AnalysisError::TopKOutOfRange { .. })
        ));
    }
    // Overflows f32, and the error says where and why.
    let overflow = error(&|sweep| sweep.scale = 1e30);
    let Error::Sweep(SweepError::Variant { variant, source }) = &overflow else {
        panic!("{overflow}")
    };
    assert_eq!(variant, "layer 0, sequence 0");
    assert!(matches!(
        &**source,
        Error::Experiment(ExperimentError::FactorTooLarge { given: 1e30, dtype }) if dtype == "f32"
    ));
}
