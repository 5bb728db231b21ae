//! `tokenizer.json`.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use hooked_gpt2::Checkpoint;
use rand::Rng;
use serde_json::{Value, json};

use super::{in_words, json, model};

const TEXTS: [&str; 6] = [
    "",
    "It was the best of times",
    " \n\u{0}",
    "é\u{301}😀\u{202e}",
    "<|endoftext|>it<|endoftext|>",
    "xxxxxxxxxxxx",
];

/// The bundled model's, of a vocabulary that the small model has room for.
pub fn seeds() -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = [path, &path.join("..")].map(|path| path.join("assets/demo-model/tokenizer.json"));
    let path = path.into_iter().find(|path| path.exists()).expect("the model is there");
    let mut tokenizer: Value =
        serde_json::from_slice(&fs::read(path).expect("it is read")).expect("it is JSON");
    let model = &mut tokenizer["model"];
    let vocabulary = model["vocab"].as_object_mut().expect("an object");
    vocabulary.retain(|_, id| id.as_u64().is_some_and(|id| id < model::D_VOCAB as u64));
    let known: HashSet<String> = vocabulary.keys().cloned().collect();
    let merges = model["merges"].as_array_mut().expect("an array");
    merges.retain(|pair| {
        let parts: Vec<&str> = match pair {
            Value::String(pair) => pair.split(' ').collect(),
            pair => pair.as_array().expect("a pair").iter().filter_map(Value::as_str).collect(),
        };
        parts.iter().all(|part| known.contains(*part)) && known.contains(&parts.concat())
    });
    vec![serde_json::to_vec(&tokenizer).expect("values are written")]
}

pub fn mutated(tokenizer: &[u8], random: &mut impl Rng) -> Vec<u8> {
    static PARTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
        [
            json!({"type": "Strip", "content": "é", "start": 7, "stop": 9}),
            json!({"type": "Strip", "strip_left": true, "strip_right": true}),
            json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": false}),
            json!({"type": "ByteFallback"}),
            json!({"type": "Fuse"}),
            json!({"type": "CTC", "pad_token": "", "word_delimiter_token": "", "cleanup": true}),
            json!({"type": "WordPiece", "prefix": "##########", "cleanup": true}),
            json!({"type": "BPEDecoder", "suffix": "</w>"}),
            json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}),
            json!({"type": "Replace", "pattern": {"String": ""}, "content": "x"}),
            json!({"type": "Replace", "pattern": {"Regex": "(?=.)"}, "content": ""}),
            json!({"type": "Split", "pattern": {"Regex": ""}, "behavior": "Isolated", "invert": true}),
            json!({"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Removed", "invert": false}),
            json!({"type": "Sequence", "decoders": [], "normalizers": [], "pretokenizers": [], "processors": []}),
            json!({"type": "Prepend", "prepend": "▁"}),
            json!({"type": "NFKC"}),
            json!({"type": "Precompiled", "precompiled_charsmap": "AAAA"}),
            json!({"type": "Digits", "individual_digits": true}),
            json!({"type": "FixedLength", "length": 0}),
            json!({"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}], "pair": [], "special_tokens": {}}),
            json!({"type": "BertProcessing", "sep": ["x", 1], "cls": ["y", 4_000_000_000_u64]}),
            json!({"type": "WordLevel", "vocab": {"x": 0}, "unk_token": "none"}),
            json!({"type": "Unigram", "vocab": [["x", -1.0]], "unk_id": 9}),
            json!({"type": "WordPiece", "vocab": {}, "unk_token": "x", "continuing_subword_prefix": "##", "max_input_chars_per_word": 0}),
            json!({"continuing_subword_prefix": "##########"}),
            json!({"end_of_word_suffix": "</w>"}),
            json!({"dropout": 1.0}),
            json!({"unk_token": "nowhere", "fuse_unk": true, "byte_fallback": true, "ignore_merges": true}),
            json!({"truncation": {"direction": "Left", "max_length": 0, "strategy": "LongestFirst", "stride": 9}}),
            json!({"padding": {"strategy": {"Fixed": 1_000_000_000}, "direction": "Right", "pad_to_multiple_of": 0, "pad_id": 0, "pad_type_id": 0, "pad_token": "x"}}),
            json!({"id": 299, "content": "", "single_word": true, "lstrip": true, "rstrip": true, "normalized": true, "special": true}),
            json!({"id": 4_294_967_296_u64, "content": "it", "single_word": false, "lstrip": true, "rstrip": true, "normalized": true, "special": false}),
            json!(["a", "b", "c"]),
            json!("a b c"),
        ]
        .to_vec()
    });
    json::mutated(tokenizer, &PARTS, random)
}

/// Texts become tokens of the model's, always the same ones, and tokens become texts; or it is said in words why
/// not.
pub fn case(tokenizer: &[u8]) {
    model::with_file("tokenizer.json", tokenizer, tokenize);
}

/// The same of the tokenizer of any directory.
pub fn tokenize(directory: &Path) {
    let Some(checkpoint) = in_words(Checkpoint::directory(directory)) else { return };
    let Some(tokenizer) = in_words(checkpoint.tokenizer()) else { return };
    for text in TEXTS {
        in_words(tokenizer.single_token(text));
        let Some(tokens) = in_words(tokenizer.encode(text)) else { continue };
        assert!(tokens.iter().all(|&token| (token as usize) < model::D_VOCAB), "{tokens:?}");
        assert_eq!(tokenizer.encode(text).ok().as_ref(), Some(&tokens), "{text:?}");
        in_words(tokenizer.decode(&tokens));
    }
    for token in [0, 1, 255, 256, 299, 300, u32::MAX] {
        in_words(tokenizer.decode(&[token, token]));
    }
}
