//! `model.safetensors`.

use std::sync::LazyLock;

use rand::Rng;
use serde_json::{Value, json};

use super::{json, model};

pub fn seeds() -> Vec<Vec<u8>> {
    vec![model::weights()]
}

pub fn mutated(file: &[u8], random: &mut impl Rng) -> Vec<u8> {
    static PARTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
        let kinds = ["F64", "F16", "BF16", "I64", "U8", "BOOL", "F8_E4M3", "F4", "C64"];
        let places = [[0, 0], [0, 64], [64, 0], [0, 1 << 40], [1 << 62, 1 << 62]];
        let shapes = [json!([0]), json!([4, 0]), json!([1_u64 << 32, 1_u64 << 32]), json!([4, 1])];
        let renamed =
            ["transformer.wte.weight", "lm_head.weight", "h.0.attn.bias", "h.7.ln_1.weight"];
        (kinds.into_iter().map(Value::from))
            .chain(places.into_iter().map(|place: [u64; 2]| json!(place)))
            .chain(shapes)
            .chain(
                renamed.map(
                    |name| json!({name: {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}),
                ),
            )
            .chain([json!({"__metadata__": {"format": "pt"}})])
            .collect()
    });
    let (length, rest) = match file.split_first_chunk::<8>() {
        Some((length, rest)) => (u64::from_le_bytes(*length), rest),
        None => return json::torn(file, random),
    };
    let Some((header, data)) =
        usize::try_from(length).ok().and_then(|at| rest.split_at_checked(at))
    else {
        return json::torn(file, random);
    };
    let header = json::mutated(header, &PARTS, random);
    let data = if random.random_ratio(1, 8) { json::torn(data, random) } else { data.to_vec() };
    let length = match random.random_range(0..32) {
        0 => u64::MAX,
        1 => 100_000_001,
        2 => random.random(),
        _ => header.len() as u64,
    };
    [&length.to_le_bytes()[..], &header, &data].concat()
}

/// A model of these weights is loaded and runs, or it is said in words why not.
pub fn case(file: &[u8]) {
    model::with_file("model.safetensors", file, |directory| {
        model::load_and_run(directory);
    });
}
