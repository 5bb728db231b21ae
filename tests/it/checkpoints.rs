//! Loading: what is read, what is refused, and what the report says.

use std::collections::HashMap;
use std::path::Path;

use hooked_gpt2::checkpoint::{Download, Source};
use hooked_gpt2::error::{CheckpointError, FileError, TokenizerError};
use hooked_gpt2::tch::Device;
use hooked_gpt2::{Checkpoint, Error, Gpt2, Precision};
use proptest::prelude::*;
use safetensors::tensor::Dtype;

use crate::support::{
    Stored, assert_identical, copy_of, fixtures, load, single, stored_tensors, with_config,
    write_stored,
};

const PROMPT: [u32; 4] = [3, 14, 15, 92];

fn load_error(path: &Path) -> Error {
    match Checkpoint::directory(path) {
        Err(error) => error,
        Ok(checkpoint) => Gpt2::load(&checkpoint, Precision::F32, Device::Cpu).unwrap_err(),
    }
}

/// The tiny checkpoint with its configuration changed.
fn tiny_with(
    change: impl Fn(&mut serde_json::Map<String, serde_json::Value>),
) -> tempfile::TempDir {
    with_config(&fixtures().join("tiny"), change)
}

/// The tiny checkpoint with its tensors changed.
fn tiny_storing(change: impl Fn(&mut HashMap<String, Stored>)) -> tempfile::TempDir {
    let copy = copy_of(&fixtures().join("tiny"));
    let path = copy.path().join("model.safetensors");
    let mut tensors = stored_tensors(&path);
    change(&mut tensors);
    write_stored(&path, &tensors);
    copy
}

#[test]
fn a_complete_checkpoint_loads_every_weight_once() {
    let tiny = Checkpoint::directory(fixtures().join("tiny")).unwrap();
    let report = tiny.report();
    assert_eq!(report.loaded.len(), 2 + 3 * 12 + 2);
    assert_eq!(report.loaded[..3], ["wte.weight", "wpe.weight", "h.0.ln_1.weight"]);
    assert!(report.missing.is_empty() && report.unused.is_empty() && report.mismatched.is_empty());
    assert_eq!(Gpt2::load(&tiny, Precision::F32, Device::Cpu).unwrap().1, report);
}

#[test]
fn masks_of_old_checkpoints_are_unused_and_known() {
    let old = Checkpoint::directory(fixtures().join("variants/unprefixed")).unwrap();
    let report = old.report();
    assert!(report.unused.contains(&"h.0.attn.bias".to_owned()));
    assert!(report.unused.contains(&"h.1.attn.masked_bias".to_owned()));
    assert_eq!(report.unknown().count(), 0);
    assert!(report.loaded.contains(&"h.0.attn.c_attn.bias".to_owned()));
}

#[test]
fn a_tensor_that_gpt2_does_not_have_is_reported_as_unknown() {
    let copy = tiny_storing(|tensors| {
        let weight = tensors["transformer.ln_f.bias"].clone();
        tensors.insert("transformer.adapter.bias".to_owned(), weight);
    });
    let report = Checkpoint::directory(copy.path()).unwrap().report();
    assert_eq!(report.unknown().collect::<Vec<_>>(), ["adapter.bias"]);
}

#[test]
fn a_copy_of_a_tied_unembedding_is_unused_and_known() {
    let copy = tiny_storing(|tensors| {
        let weight = tensors["transformer.wte.weight"].clone();
        tensors.insert("lm_head.weight".to_owned(), weight);
    });
    let checkpoint = Checkpoint::directory(copy.path()).unwrap();
    let (model, report) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu).unwrap();
    assert_eq!(report, checkpoint.report());
    assert_eq!(report.unused, ["lm_head.weight"]);
    assert_eq!(report.unknown().count(), 0);
    assert!(model.config().tie_word_embeddings && !report.untied);
}

#[test]
fn an_unembedding_of_its_own_wins_over_a_configuration_that_ties_it() {
    let path = fixtures().join("variants/untied_by_weights");
    let checkpoint = Checkpoint::directory(path).unwrap();
    assert!(checkpoint.config().tie_word_embeddings);
    let (model, report) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu).unwrap();
    assert!(report.untied && !model.config().tie_word_embeddings);
    assert_eq!(report.loaded.last().unwrap(), "lm_head.weight");
    assert!(report.unused.is_empty());
}

#[test]
fn a_tied_unembedding_of_another_shape_is_refused() {
    let copy = tiny_storing(|tensors| {
        let weight = tensors["transformer.wpe.weight"].clone();
        tensors.insert("lm_head.weight".to_owned(), weight);
    });
    let error = load_error(copy.path());
    let expected = "`lm_head.weight` has shape [32, 24], config.json asks for [101, 24]";
    assert!(error.to_string().ends_with(expected), "{error}");
}

#[test]
fn of_two_tied_weights_either_is_enough() {
    let path = fixtures().join("variants/tied_to_unembedding");
    let checkpoint = Checkpoint::directory(&path).unwrap();
    let (_, report) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu).unwrap();
    assert_eq!(report.loaded[0], "wte.weight");
    assert!(report.unused.is_empty() && !report.untied);
    let untied = with_config(&path, |config| {
        config.insert("tie_word_embeddings".to_owned(), false.into());
    });
    let Error::Checkpoint(CheckpointError::MissingWeights { names, .. }) =
        load_error(untied.path())
    else {
        panic!()
    };
    assert_eq!(names, ["wte.weight"]);
}

#[test]
fn a_weight_that_is_there_twice_is_refused_with_both_names() {
    let copy = tiny_storing(|tensors| {
        let weight = tensors["transformer.ln_f.bias"].clone();
        tensors.insert("ln_f.bias".to_owned(), weight);
    });
    let error = load_error(copy.path());
    let Error::Checkpoint(CheckpointError::WeightTwice { tensor, other, .. }) = &error else {
        panic!("{error}")
    };
    let mut names = [tensor, other];
    names.sort();
    assert_eq!(names, ["ln_f.bias", "transformer.ln_f.bias"]);

    let copy = copy_of(&fixtures().join("tiny"));
    let shards = ["a.safetensors", "b.safetensors"].map(|shard| copy.path().join(shard));
    std::fs::rename(copy.path().join("model.safetensors"), &shards[0]).unwrap();
    std::fs::copy(&shards[0], &shards[1]).unwrap();
    let index = serde_json::json!({
        "weight_map": { "wte.weight": "a.safetensors", "wpe.weight": "b.safetensors" }
    });
    std::fs::write(copy.path().join("model.safetensors.index.json"), index.to_string()).unwrap();
    let error = load_error(copy.path());
    let Error::Checkpoint(CheckpointError::WeightTwice { path, tensor, other_path, other }) =
        &error
    else {
        panic!("{error}")
    };
    assert_eq!((path, other_path), (&shards[1], &shards[0]));
    assert_eq!(tensor, other);
}

#[test]
fn an_adapter_beside_the_weights_is_refused() {
    let copy = copy_of(&fixtures().join("tiny"));
    std::fs::write(copy.path().join("adapter_config.json"), "{}").unwrap();
    let error = load_error(copy.path());
    assert!(error.to_string().contains("adapter_config.json: an adapter"), "{error}");
}

#[test]
fn shards_load_as_the_whole() {
    let copy = copy_of(&fixtures().join("tiny"));
    let whole = copy.path().join("model.safetensors");
    let tensors = stored_tensors(&whole);
    let names: Vec<_> = tensors.keys().cloned().collect();
    let mut weight_map = serde_json::Map::new();
    for (number, names) in names.chunks(15).enumerate() {
        let shard = format!("model-{number}.safetensors");
        let part = names.iter().map(|name| (name.clone(), tensors[name].clone())).collect();
        write_stored(&copy.path().join(&shard), &part);
        weight_map.extend(names.iter().map(|name| (name.clone(), shard.clone().into())));
    }
    std::fs::remove_file(&whole).unwrap();
    let index = serde_json::json!({ "metadata": {}, "weight_map": weight_map });
    std::fs::write(copy.path().join("model.safetensors.index.json"), index.to_string()).unwrap();

    let batch = single(&PROMPT);
    let run = |path: &Path| load(path, Precision::F32).run(&batch).execute().unwrap();
    let (sharded, single) = (run(copy.path()), run(&fixtures().join("tiny")));
    assert_identical(sharded.logits.tensor(0).unwrap(), single.logits.tensor(0).unwrap());

    std::fs::remove_file(copy.path().join("model-1.safetensors")).unwrap();
    let error = load_error(copy.path());
    assert!(error.to_string().contains("model-1.safetensors: no such file"), "{error}");
}

#[test]
fn shards_outside_the_directory_are_refused() {
    for shard in ["../model.safetensors", "/etc/passwd", "a/b.safetensors", "..", ""] {
        let copy = copy_of(&fixtures().join("tiny"));
        std::fs::remove_file(copy.path().join("model.safetensors")).unwrap();
        let index = serde_json::json!({ "weight_map": { "wte.weight": shard } });
        let path = copy.path().join("model.safetensors.index.json");
        std::fs::write(path, index.to_string()).unwrap();
        let error = load_error(copy.path());
        assert!(
            matches!(&error, Error::Checkpoint(CheckpointError::ShardName { given, .. }) if given == shard),
            "{error}"
        );
    }
}

#[test]
fn a_missing_directory_or_file_is_named() {
    let error = load_error(Path::new("no/such/model"));
    assert_eq!(error.to_string(), "no/such/model: no such file or directory");
    let copy = copy_of(&fixtures().join("tiny"));
    std::fs::remove_file(copy.path().join("config.json")).unwrap();
    let error = load_error(copy.path());
    assert!(
        matches!(&error, Error::File(FileError::NotFound { path }) if path.ends_with("config.json")),
        "{error}"
    );
}

#[test]
fn a_directory_without_weights_is_told_which_files_have_them() {
    let copy = copy_of(&fixtures().join("tiny"));
    let weights = copy.path().join("model.safetensors");
    std::fs::rename(weights, copy.path().join("pytorch_model.bin")).unwrap();
    let error = load_error(copy.path());
    assert!(matches!(error, Error::Checkpoint(CheckpointError::NoWeights { .. })), "{error}");
    let path = copy.path().display();
    assert_eq!(
        error.to_string(),
        format!(
            "{path} has no weights: neither model.safetensors nor model.safetensors.index.json"
        )
    );
}

#[test]
fn a_model_without_a_tokenizer_loads_and_says_so_when_asked() {
    let tiny = Checkpoint::directory(fixtures().join("tiny")).unwrap();
    assert!(matches!(
        tiny.tokenizer(),
        Err(Error::Checkpoint(CheckpointError::NoTokenizer { .. }))
    ));
}

#[test]
fn configurations_that_change_the_mathematics_are_refused_by_name() {
    use serde_json::json;
    for (field, value) in [
        ("architectures", json!(["GPT2ForSequenceClassification"])),
        ("architectures", json!(["GPT2LMHeadCustomModel"])),
        ("architectures", json!("GPT2LMHeadModel")),
        ("attention_chunk_size", json!(3)),
        ("attn_implementation", json!("somebody/kernel")),
        ("_attn_implementation", json!("somebody/kernel")),
        ("attribute_map", json!({"n_head": "n_layer"})),
        ("auto_map", json!({"AutoModelForCausalLM": "modeling.Model"})),
        ("configuration_files", json!(["config.5.0.0.json"])),
        ("is_causal", json!(false)),
        ("is_causal", json!(null)),
        ("layer_types", json!(["sliding_attention", "full_attention", "full_attention"])),
        ("per_layer_config", json!({"0": {"n_head": 1}})),
        ("sliding_window", json!(3)),
        ("transformers_weights", json!("other.safetensors")),
        ("model_type", json!("llama")),
        ("model_type", json!(null)),
        ("activation_function", json!("swiglu")),
        ("add_cross_attention", json!(true)),
        ("pruned_heads", json!({"0": [1]})),
        ("quantization_config", json!({"bits": 4})),
        ("activation_function", json!("gelu_10")),
        ("n_layer", json!(20_000_000)),
        ("n_head", json!(5)),
        ("n_head", json!(0)),
        ("n_head", json!(3.0)),
        ("n_head", json!("3")),
        ("n_head", json!(true)),
        ("num_attention_heads", json!(5)),
        ("n_layer", json!(0)),
        ("n_layer", json!(null)),
        ("num_hidden_layers", json!(null)),
        ("n_inner", json!(0)),
        ("n_inner", json!(96.0)),
        ("layer_norm_epsilon", json!(-1.0)),
        ("layer_norm_epsilon", json!("1e-5")),
        ("layer_norm_epsilon", json!({"__float__": "Infinity"})),
        ("scale_attn_weights", json!(null)),
        ("scale_attn_weights", json!(0)),
        ("tie_word_embeddings", json!("false")),
    ] {
        let copy = tiny_with(|config| {
            config.insert(field.to_owned(), value.clone());
        });
        let error = load_error(copy.path());
        assert!(
            matches!(&error, Error::Checkpoint(CheckpointError::Config { field: refused, .. }) if *refused == field),
            "{field} = {value}: {error}"
        );
    }
    let copy = tiny_with(|config| {
        config.remove("model_type");
    });
    let error = load_error(copy.path());
    assert!(error.to_string().ends_with("`model_type` is missing, allowed: gpt2"), "{error}");
}

#[test]
fn a_configuration_that_is_no_json_object_is_refused() {
    for content in ["", "[]", "{", r#"{"model_type": "gpt2", "layer_norm_epsilon": NaN}"#] {
        let copy = copy_of(&fixtures().join("tiny"));
        std::fs::write(copy.path().join("config.json"), content).unwrap();
        assert!(
            matches!(load_error(copy.path()), Error::File(FileError::Json { .. })),
            "{content}"
        );
    }
}

#[test]
fn a_weight_of_another_shape_is_named_with_both_shapes() {
    let copy = tiny_with(|config| {
        config.insert("n_inner".to_owned(), 100.into());
    });
    let error = load_error(copy.path());
    assert!(
        error
            .to_string()
            .ends_with("`h.0.mlp.c_fc.weight` has shape [24, 96], config.json asks for [24, 100]"),
        "{error}"
    );
    let report = Checkpoint::directory(copy.path()).unwrap().report();
    assert_eq!(report.mismatched.len(), 3 * 3);
}

#[test]
fn missing_weights_are_counted_and_named() {
    let copy = tiny_with(|config| {
        config.insert("n_layer".to_owned(), 4.into());
    });
    let error = load_error(copy.path());
    assert!(
        error.to_string().ends_with("12 weights are missing, the first is `h.3.ln_1.weight`"),
        "{error}"
    );
    let copy = tiny_with(|config| {
        config.insert("tie_word_embeddings".to_owned(), false.into());
    });
    let error = load_error(copy.path());
    assert!(error.to_string().ends_with(": the weight `lm_head.weight` is missing"), "{error}");
    let Error::Checkpoint(CheckpointError::MissingWeights { names, .. }) = error else { panic!() };
    assert_eq!(names, ["lm_head.weight"]);
}

#[test]
fn weights_stored_as_integers_are_refused() {
    let copy = copy_of(&fixtures().join("tiny"));
    let path = copy.path().join("model.safetensors");
    let mut tensors = stored_tensors(&path);
    tensors.get_mut("transformer.ln_f.bias").unwrap().dtype = Dtype::I32;
    write_stored(&path, &tensors);
    let error = load_error(copy.path());
    assert!(
        error.to_string().contains("`transformer.ln_f.bias` is stored as I32, allowed: F32"),
        "{error}"
    );
}

#[test]
fn a_tokenizer_larger_than_the_embedding_is_refused() {
    let copy = copy_of(&fixtures().join("tiny"));
    let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo-model/tokenizer.json");
    std::fs::copy(bundled, copy.path().join("tokenizer.json")).unwrap();
    let error = load_error(copy.path());
    let path = copy.path().display();
    assert_eq!(
        error.to_string(),
        format!("{path}: the tokenizer has 8192 token ids, the model embeds only 101")
    );
}

#[test]
fn a_tokenizer_that_is_none_is_refused() {
    let copy = copy_of(&fixtures().join("tiny"));
    std::fs::write(copy.path().join("tokenizer.json"), "{}").unwrap();
    assert!(matches!(load_error(copy.path()), Error::Tokenizer(TokenizerError::File { .. })));
}

#[test]
fn a_truncated_file_is_refused_at_every_length() {
    let copy = copy_of(&fixtures().join("tiny"));
    let path = copy.path().join("model.safetensors");
    let content = std::fs::read(&path).unwrap();
    for length in [0, 1, 7, 8, 9, 500, content.len() / 2, content.len() - 1] {
        std::fs::write(&path, &content[..length]).unwrap();
        let error = load_error(copy.path());
        assert!(
            matches!(error, Error::Checkpoint(CheckpointError::Safetensors { .. })),
            "{length}: {error}"
        );
        assert_eq!(error.to_string().lines().count(), 1);
    }
    std::fs::write(&path, [&content[..], b"x"].concat()).unwrap();
    assert!(matches!(
        load_error(copy.path()),
        Error::Checkpoint(CheckpointError::Safetensors { .. })
    ));
    std::fs::write(&path, b"not a safetensors file, but long enough to look like one").unwrap();
    assert!(matches!(
        load_error(copy.path()),
        Error::Checkpoint(CheckpointError::Safetensors { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_damaged_header_is_an_error_or_harmless_and_never_a_panic(
        at in 0_usize..6000,
        byte: u8,
    ) {
        let copy = copy_of(&fixtures().join("tiny"));
        let path = copy.path().join("model.safetensors");
        let mut content = std::fs::read(&path).unwrap();
        content[at] = byte;
        std::fs::write(&path, content).unwrap();
        if let Ok(checkpoint) = Checkpoint::directory(copy.path()) {
            let _ = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu);
        }
    }
}

#[test]
fn sources_are_told_apart_by_how_they_look() {
    let source = |text: &str| text.parse::<Source>().unwrap();
    assert_eq!(source("bundled"), Source::Bundled);
    assert_eq!(source("gpt2-medium"), Source::Hub("gpt2-medium".to_owned()));
    assert_eq!(source("someone/gpt2"), Source::Hub("someone/gpt2".to_owned()));
    for path in ["./gpt2", "/models/gpt2", "../gpt2", "a/b/c"] {
        assert_eq!(source(path), Source::Directory(path.into()));
    }
    let existing = fixtures();
    assert_eq!(source(existing.to_str().unwrap()), Source::Directory(existing));
    assert!(Checkpoint::open(&Source::Bundled, Download::Off).is_ok());
}

#[test]
fn a_device_that_is_not_there_is_an_error() {
    let bundled = Checkpoint::bundled().unwrap();
    let error = Gpt2::load(&bundled, Precision::F32, Device::Cuda(99)).unwrap_err();
    assert!(matches!(error, Error::NoSuchDevice { .. }), "{error}");
    for name in ["tpu", "cuda:x", ""] {
        let error = hooked_gpt2::device::parse(name).unwrap_err();
        assert!(matches!(error, Error::UnknownName { .. }), "{error}");
    }
}
