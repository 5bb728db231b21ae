//! The identities, on models that keep them and on one that cannot.

use hooked_gpt2::conformance::{self, ConformanceReport};
use hooked_gpt2::tch::Device;
use hooked_gpt2::{Checkpoint, Precision};

use crate::support::{conformance_example, copy_of, fixtures, stored_tensors, write_stored};

const IDENTITIES: usize = 16;

fn check(checkpoint: &Checkpoint, precision: Precision) -> ConformanceReport {
    conformance::check(checkpoint, precision, Device::Cpu, |_, _| {}).unwrap()
}

#[test]
fn every_identity_holds_on_the_bundled_model_and_on_random_weights_with_outliers() {
    let tiny = Checkpoint::directory(fixtures().join("tiny")).unwrap();
    for checkpoint in [&Checkpoint::bundled().unwrap(), &tiny] {
        for precision in [Precision::F32, Precision::F64, Precision::Bf16] {
            let report = check(checkpoint, precision);
            assert!(report.holds(), "{report}");
            assert_eq!(report.identities.len(), IDENTITIES);
            assert!(report.identities.iter().all(|identity| identity.comparisons > 0));
        }
    }
}

#[test]
fn every_site_is_edited_and_every_block_is_skipped_and_resumed() {
    let tiny = Checkpoint::directory(fixtures().join("tiny")).unwrap();
    let (sites, blocks, sequences) = (2 + 3 * 23 + 3, 3, 3);
    let report = check(&tiny, Precision::F32);
    let comparisons = |name: &str| {
        let named = |identity: &&conformance::Identity| identity.name.contains(name);
        report.identities.iter().find(named).unwrap().comparisons
    };
    assert_eq!(comparisons("scaling by 1 changes nothing"), sites);
    assert_eq!(comparisons("patching in what was there changes nothing"), sites * sequences);
    assert_eq!(comparisons("an edit at any site"), sites);
    assert_eq!(comparisons("a run that stops"), sites * sequences);
    assert_eq!(comparisons("a run that resumes"), blocks);
    assert_eq!(comparisons("skipping a block"), blocks * sequences);
    assert_eq!(comparisons("a sweep gives each variant"), blocks * sequences);
    // The first token comes from the prompts, the others from the cache.
    assert_eq!(comparisons("generation with a cache"), 5 + 1 + 3 + 3 * 4);
}

#[test]
fn the_cpu_is_not_compared_with_itself_and_the_report_says_so() {
    let tiny = Checkpoint::directory(fixtures().join("tiny")).unwrap();
    let mut told = Vec::new();
    let report = conformance::check(&tiny, Precision::F32, Device::Cpu, |done, all| {
        told.push((done, all));
    });
    let [left_out] = &report.unwrap().left_out[..] else { panic!("one is left out") };
    assert_eq!(left_out.reason, "the device is the CPU");
    // Before the blocks, three blocks, batches, sweeps, generation, devices.
    assert_eq!(told, (0..=8).map(|done| (done, 8)).collect::<Vec<_>>());
}

/// A copy of the tiny model with a weight set to zero.
fn without(weight: &str) -> tempfile::TempDir {
    let copy = copy_of(&fixtures().join("tiny"));
    let path = copy.path().join("model.safetensors");
    let mut tensors = stored_tensors(&path);
    tensors.get_mut(weight).unwrap().data.fill(0);
    write_stored(&path, &tensors);
    copy
}

#[test]
fn a_site_that_the_weights_silence_fails_by_its_name() {
    let copy = without("transformer.h.1.mlp.c_proj.weight");
    let report = check(&Checkpoint::directory(copy.path()).unwrap(), Precision::F64);
    let failed: Vec<_> = report.identities.iter().filter(|identity| !identity.holds).collect();
    let [sensitive] = &failed[..] else { panic!("{report}") };
    assert_eq!(sensitive.name, "an edit at any site changes the logits");
    assert_eq!((sensitive.figure, sensitive.worst_at.as_str()), (0.0, "blocks.1.hook_mlp_in"));
    assert!(report.to_string().ends_with("\n1 of 16 do not hold"), "{report}");
}

#[test]
fn the_example_prints_the_table_and_fails_if_an_identity_does_not_hold() {
    let tiny = fixtures().join("tiny");
    let output = conformance_example(&[], &["--model", tiny.to_str().unwrap()]);
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().ends_with("all 16 hold\n"));

    let copy = without("transformer.h.1.mlp.c_proj.weight");
    let output = conformance_example(&[], &["--model", copy.path().to_str().unwrap(), "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let holds = |identity: &serde_json::Value| identity["holds"].as_bool().unwrap();
    let identities = report["identities"].as_array().unwrap();
    assert_eq!(identities.iter().filter(|identity| !holds(identity)).count(), 1);

    let output = conformance_example(&[], &["--model", "./nowhere"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stderr).unwrap().lines().count(), 1);
}

#[test]
#[ignore = "needs a CUDA device, and a libtorch that knows it"]
fn a_gpu_keeps_every_identity_and_agrees_with_the_cpu() {
    let checkpoint = Checkpoint::bundled().unwrap();
    for precision in [Precision::F32, Precision::F64, Precision::Bf16] {
        let report =
            conformance::check(&checkpoint, precision, Device::Cuda(0), |_, _| {}).unwrap();
        assert!(report.holds(), "{report}");
        assert!(report.left_out.is_empty(), "{report}");
    }
}
