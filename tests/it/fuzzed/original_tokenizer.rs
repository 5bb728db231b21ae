//! `vocab.json`, `merges.txt` and what else there is beside them, as one document.

use std::fs;
use std::sync::LazyLock;

use rand::Rng;
use serde_json::{Value, json};

use super::{json, model, tokenizer};

const BESIDE: [&str; 3] = ["added_tokens.json", "tokenizer_config.json", "special_tokens_map.json"];

pub fn seeds() -> Vec<Vec<u8>> {
    let whole = &tokenizer::seeds()[0];
    let whole: Value = serde_json::from_slice(whole).expect("it is JSON");
    let special = json!({"content": "<|endoftext|>", "lstrip": false, "rstrip": true, "single_word": false, "normalized": true, "special": true});
    let document = json!({
        "vocab.json": whole["model"]["vocab"],
        "merges.txt": whole["model"]["merges"],
        "added_tokens.json": {"<|pad|>": 298, "<|sep|>": 299},
        "tokenizer_config.json": {
            "add_prefix_space": true,
            "pad_token": "<|pad|>",
            "additional_special_tokens": ["<|sep|>"],
            "added_tokens_decoder": {"0": special, "299": {"content": " it", "lstrip": true}},
        },
        "special_tokens_map.json": {"eos_token": special, "bos_token": "<|endoftext|>"},
    });
    let mut older = document.clone();
    older["tokenizer_config.json"] = json!({});
    [document, older]
        .iter()
        .map(|value| serde_json::to_vec(value).expect("it is written"))
        .collect()
}

pub fn mutated(document: &[u8], random: &mut impl Rng) -> Vec<u8> {
    static PARTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
        [
            json!({"unk_token": "", "sep_token": null, "mask_token": "it", "cls_token": ["x"]}),
            json!({"extra_special_tokens": ["it", "it", "", " "]}),
            json!({"additional_special_tokens": [{"content": "t", "rstrip": true, "lstrip": true}]}),
            json!({"added_tokens_decoder": {"4294967296": "it", "-1": "x", "0": {"content": ""}}}),
            json!({"content": " ", "lstrip": true, "rstrip": true, "single_word": true, "normalized": false}),
            json!({"299": "it", "298": "it"}),
            json!({"Ġit": 4_294_967_295_u64}),
            json!("#version: 0.2"),
        ]
        .to_vec()
    });
    json::mutated(document, &PARTS, random)
}

/// As [`tokenizer::case`], of the files that stand under their names in a document.
pub fn case(document: &[u8]) {
    let Ok(Value::Object(files)) = serde_json::from_slice(document) else { return };
    let text = |name| files.get(name).map_or(String::new(), Value::to_string);
    let merges = match files.get("merges.txt") {
        Some(Value::Array(merges)) => merges.iter().map(line).collect(),
        _ => text("merges.txt"),
    };
    model::with_file("vocab.json", text("vocab.json").as_bytes(), |directory| {
        fs::write(directory.join("merges.txt"), merges).expect("it is written");
        for name in BESIDE {
            let path = directory.join(name);
            match files.get(name) {
                Some(content) => fs::write(path, content.to_string()).expect("it is written"),
                // The last case's may be there, or not.
                None => drop(fs::remove_file(path)),
            }
        }
        tokenizer::tokenize(directory);
    });
}

fn line(merge: &Value) -> String {
    let parts: Vec<&str> = match merge {
        Value::Array(parts) => parts.iter().filter_map(Value::as_str).collect(),
        merge => merge.as_str().into_iter().collect(),
    };
    parts.join(" ") + "\n"
}
