//! `config.json`.

use std::sync::LazyLock;

use rand::Rng;
use serde_json::{Value, json};

use super::{json, model};

pub fn seeds() -> Vec<Vec<u8>> {
    vec![model::CONFIG.as_bytes().to_vec()]
}

pub fn mutated(config: &[u8], random: &mut impl Rng) -> Vec<u8> {
    static PARTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
        [
            json!("gelu"),
            json!("relu"),
            json!("silu"),
            json!("tanh"),
            json!("gelu_fast"),
            json!("llama"),
            json!({"quantization_config": {"bits": 4}}),
            json!({"pruned_heads": {"0": [1]}}),
            json!({"task_specific_params": {"text-generation": {"do_sample": true}}}),
            json!({"hidden_size": 4, "num_hidden_layers": 2, "num_attention_heads": 2}),
            json!({"layer_norm_eps": 1e-6}),
            json!({"n_layer": 20_000_000_u64}),
            json!({"n_embd": 1_u64 << 62}),
            json!({"n_positions": 1_u64 << 40, "n_ctx": 1_u64 << 40}),
        ]
        .to_vec()
    });
    json::mutated(config, &PARTS, random)
}

/// A model with this configuration is loaded and runs, or it is said in words why not.
pub fn case(config: &[u8]) {
    model::with_file("config.json", config, |directory| {
        model::load_and_run(directory);
    });
}
