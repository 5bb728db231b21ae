//! Bad input on the command line: one clear line, a non-zero exit, nothing half-written.

use std::path::Path;

use crate::support::{copy_of, einstein_sweep, stored_tensors, write_stored};

/// Refused when the arguments are read.
#[track_caller]
fn assert_misused(arguments: &[&str], expected: &str) {
    assert_fails(arguments, 2, expected);
}

/// Refused when it was tried.
#[track_caller]
fn assert_refused(arguments: &[&str], expected: &str) {
    assert_fails(arguments, 1, expected);
}

#[track_caller]
fn assert_fails(arguments: &[&str], code: i32, expected: &str) {
    let out = tempfile::tempdir().unwrap();
    let directory = out.path().join("results");
    let mut all = vec!["--out", directory.to_str().unwrap()];
    if !arguments.contains(&"--model") {
        all.extend(["--model", "bundled"]);
    }
    all.extend(arguments);
    let output = einstein_sweep(&[], &all);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{arguments:?}: {stderr}");
    assert!(stderr.starts_with("error: "), "{stderr}");
    assert!(stderr.contains(expected), "{expected:?} is not in {stderr}");
    assert!(output.stdout.is_empty(), "{arguments:?} printed something");
    let written = std::fs::read_dir(&directory).map_or(0, |entries| entries.count());
    assert_eq!(written, 0, "{arguments:?} left files behind");
}

fn bundled() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo-model")
}

#[test]
fn an_empty_prompt() {
    assert_refused(&["--prompt", ""], "sequence 0 of the batch is empty");
}

#[test]
fn a_prompt_longer_than_the_context() {
    let prompt = " word".repeat(257);
    assert_refused(&["--prompt", &prompt], "has 257 tokens, the model's context holds 256");
}

#[test]
fn a_target_of_several_tokens_or_none() {
    let expected = r#"" curious mind" is 2 tokens [" curious", " mind"], exactly one is needed"#;
    assert_refused(&["--target", " curious mind"], expected);
    assert_refused(&["--target", ""], "is 0 tokens");
}

#[test]
fn a_layer_or_focus_layer_out_of_range() {
    let expected = "layer 12 is not in the model, allowed: 0 to 11";
    assert_refused(&["--layers", "0,12"], expected);
    assert_refused(&["--focus-layer", "12"], expected);
    assert_refused(&["--layers", "0,1", "--focus-layer", "5"], "not among the swept layers [0, 1]");
    assert_misused(
        &["--layers", "8-5"],
        "'--layers <LAYERS>': `8-5` runs downward, allowed: `5-8`",
    );
    for layers in ["", "2-", "x", "0,", "0-99999999999"] {
        assert_misused(&["--layers", layers], "is no layer, allowed: such as `0,2,5-8`, or `all`");
    }
}

#[test]
fn a_factor_that_is_not_finite() {
    assert_refused(&["--scale", "NaN"], "the scaling factor is NaN");
    assert_refused(&["--scale", "inf"], "the scaling factor is inf");
    let expected = "layer 0, sequence 0: the factor 1e30 leads to logits that f32 cannot hold, one \
                    nearer to 1 is needed";
    assert_refused(&["--scale", "1e30"], expected);
    assert_refused(&["--scale", "1e300", "--dtype", "f64"], "logits that f64 cannot hold");
    let expected = "the scaling factor is 1e300, allowed in this number format";
    assert_refused(&["--scale", "1e300"], expected);
}

#[test]
fn an_option_that_is_not_known_or_has_no_value() {
    assert_misused(&["--layer", "2"], "unexpected argument '--layer' found; tip: a similar");
    assert_misused(&["--scale", "half"], "invalid value 'half' for '--scale <SCALE>'");
    assert_misused(&["--top-k", "-1"], "unexpected argument '-1' found");
    assert_misused(&["--scale"], "a value is required for '--scale <SCALE>'");
}

#[test]
fn a_missing_directory_or_file() {
    assert_refused(&["--model", "./no/such/model"], "./no/such/model: no such file or directory");
    let copy = copy_of(&bundled());
    std::fs::remove_file(copy.path().join("config.json")).unwrap();
    assert_refused(&["--model", copy.path().to_str().unwrap()], "config.json: no such file");
    let copy = copy_of(&bundled());
    std::fs::remove_file(copy.path().join("tokenizer.json")).unwrap();
    assert_refused(&["--model", copy.path().to_str().unwrap()], "has no tokenizer");
}

#[test]
fn a_truncated_or_corrupt_checkpoint() {
    let copy = copy_of(&bundled());
    let weights = copy.path().join("model.safetensors");
    let content = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &content[..content.len() / 2]).unwrap();
    assert_refused(&["--model", copy.path().to_str().unwrap()], "not a valid safetensors file");
    std::fs::write(&weights, "garbage, garbage, garbage").unwrap();
    assert_refused(&["--model", copy.path().to_str().unwrap()], "not a valid safetensors file");
}

#[test]
fn weights_with_nan() {
    let copy = copy_of(&bundled());
    let path = copy.path().join("model.safetensors");
    let mut tensors = stored_tensors(&path);
    let bias = tensors.iter_mut().find(|(name, _)| name.ends_with("h.3.mlp.c_proj.bias")).unwrap();
    let nan_in_f16 = [0x00, 0x7e];
    bias.1.data[..2].copy_from_slice(&nan_in_f16);
    write_stored(&path, &tensors);
    let expected =
        "`transformer.h.3.mlp.c_proj.bias` is NaN at [0], a number that is finite in f32";
    assert_refused(&["--model", copy.path().to_str().unwrap()], expected);
}

#[test]
fn a_checkpoint_of_another_architecture_or_shape() {
    let copy = copy_of(&bundled());
    let path = copy.path().join("config.json");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config.replace(r#""gpt2""#, r#""gpt_neox""#)).unwrap();
    let model = copy.path().to_str().unwrap();
    assert_refused(&["--model", model], "`model_type` is gpt_neox, allowed: gpt2");
    std::fs::write(&path, config.replace("8192", "9000")).unwrap();
    let expected = "`wte.weight` has shape [8192, 128], config.json asks for [9000, 128]";
    assert_refused(&["--model", model], expected);
    std::fs::write(&path, config.replace("8192", "8000")).unwrap();
    assert_refused(&["--model", model], "the tokenizer has 8192 token ids");
}

#[test]
fn an_output_directory_that_cannot_be_written() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let under_a_file = file.path().join("results");
    let output =
        einstein_sweep(&[], &["--model", "bundled", "--out", under_a_file.to_str().unwrap()]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.starts_with("error: cannot write ") && stderr.lines().count() == 1, "{stderr}");
}

#[test]
fn a_device_that_is_not_there() {
    assert_refused(&["--device", "cuda:99"], "device `cuda:99` is not available");
    assert_refused(&["--device", "tpu"], "device `tpu` is not known");
}

#[test]
fn a_top_k_beyond_the_vocabulary() {
    assert_refused(&["--top-k", "0"], "top 0 is out of range, allowed: 1 to 8192");
    assert_refused(&["--top-k", "8193"], "top 8193 is out of range");
}

#[test]
fn a_hub_model_without_the_network() {
    assert_refused(&["--model", "gpt2", "--offline"], "`gpt2` is not in the cache");
}
