//! The whole sweep on the bundled model, against Hugging Face with hooks and SciPy.

use hooked_gpt2::error::{
    BatchError, ExperimentError, InterventionError, RunError, SelectionError, SweepError,
    TokenizerError,
};
use hooked_gpt2::experiment::einstein::{EinsteinReport, EinsteinSweep};
use hooked_gpt2::tch::Device;
use hooked_gpt2::{Checkpoint, Error, Gpt2, Precision, Result};
use serde_json::Value;

use crate::support::fixtures;
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
            "findings",
            "layers",
            "model",
            "prompt",
            "prompt_tokens",
            "scale",
            "target",
            "target_token",
            "work"
        ]
    );
    assert_eq!(keys(&report["model"]), ["d_model", "d_vocab", "n_heads", "n_layers", "name"]);
    assert_eq!(keys(&report["clean"]), ["entropy", "loss", "probability", "rank", "top_k"]);
    assert_eq!(keys(&report["clean"]["top_k"][0]), ["log_prob", "logit", "text", "token"]);
    assert_eq!(
        keys(&report["layers"][0]),
        [
            "delta_loss",
            "entropy",
            "layer",
            "logit_std_ratio",
            "loss",
            "mean_logit_shift",
            "pearson",
            "probability",
            "rank",
            "top_k"
        ]
    );
    assert_eq!(keys(&report["findings"][0]), ["claim", "holds", "measured"]);
    assert_eq!(report["findings"].as_array().unwrap().len(), 3);
}

#[test]
fn the_last_layer_is_no_evidence_for_a_positive_factor() {
    let sweep =
        EinsteinSweep { layers: Some(vec![11]), focus_layer: Some(11), ..EinsteinSweep::default() };
    let report = run(&sweep, Precision::F64).unwrap();
    assert!(report.is_divided_out(11) && !report.is_divided_out(10));
    assert!(report.layers[0].delta_loss.abs() < 1e-4);
    assert!(report.findings.iter().all(|finding| finding.holds.is_none()), "{report:#?}");
    let mirrored = EinsteinSweep { scale: -0.6, ..sweep };
    let report = run(&mirrored, Precision::F64).unwrap();
    assert!(!report.is_divided_out(11));
    assert!(report.layers[0].delta_loss.abs() > 0.1);
}

#[test]
fn findings_hold_or_fail_by_what_was_measured() {
    let mut report = run(&EinsteinSweep::default(), Precision::F32).unwrap();
    let verdicts: Vec<_> = report.findings.iter().map(|finding| finding.holds).collect();
    assert_eq!(verdicts, [Some(false), Some(false), Some(false)]);

    // " aware" is the most likely token already: it cannot rise.
    let sweep = EinsteinSweep { target: " aware".to_owned(), ..EinsteinSweep::default() };
    assert_eq!(run(&sweep, Precision::F32).unwrap().findings[1].holds, None);

    // A factor of 1 keeps the shape and shrinks nothing; of 0.99, keeps it and shrinks a little.
    let nearly = |scale| EinsteinSweep { scale, ..EinsteinSweep::default() };
    report = run(&nearly(1.0), Precision::F64).unwrap();
    assert_eq!(report.findings[0].holds, Some(false));
    assert_eq!(report.focus().unwrap().pearson, Some(1.0));
    assert_eq!(report.findings[2].holds, Some(false));
    report = run(&nearly(0.99), Precision::F64).unwrap();
    assert_eq!(report.findings[0].holds, Some(true));
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
    assert!(report.findings[1].holds.is_none() && report.findings[2].holds.is_none());
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
    assert!(matches!(error(&|sweep| sweep.top_k = 0), Error::Sweep(SweepError::Variant { .. })));
    assert!(matches!(error(&|sweep| sweep.top_k = 8193), Error::Sweep(SweepError::Variant { .. })));
    // Overflows f32, and the error says where.
    let overflow = error(&|sweep| sweep.scale = 3e38);
    assert!(
        matches!(&overflow, Error::Sweep(SweepError::Variant { variant, source })
        if variant == "layer 0, sequence 0" && matches!(**source, Error::Run(RunError::NotANumber { .. }))),
        "{overflow}"
    );
}
