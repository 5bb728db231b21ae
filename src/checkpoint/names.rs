//! Hugging Face's names of GPT-2's weights.

use crate::config::Config;

pub(crate) const TOKEN_EMBEDDING: &str = "wte.weight";
pub(crate) const UNEMBEDDING: &str = "lm_head.weight";

/// The name that the loader uses: without the prefix that some files carry.
pub(crate) fn canonical(stored: &str) -> &str {
    stored.strip_prefix("transformer.").unwrap_or(stored)
}

/// Whether `name`, in canonical form, is a causal mask that old checkpoints carry along.
///
/// The whole name is matched: `attn.c_attn.bias` is a weight, and ends alike.
pub(crate) fn is_buffer(name: &str) -> bool {
    let Some((layer, rest)) = name.strip_prefix("h.").and_then(|rest| rest.split_once('.')) else {
        return false;
    };
    let numbered = !layer.is_empty() && layer.bytes().all(|byte| byte.is_ascii_digit());
    numbered && matches!(rest, "attn.bias" | "attn.masked_bias")
}

/// Every weight that a model of this configuration has, with its stored shape.
pub(crate) fn expected(config: &Config) -> Vec<(String, Vec<usize>)> {
    let &Config { d_model, d_mlp, d_vocab, n_ctx, .. } = config;
    let mut weights = vec![
        (TOKEN_EMBEDDING.to_owned(), vec![d_vocab, d_model]),
        ("wpe.weight".to_owned(), vec![n_ctx, d_model]),
    ];
    for layer in 0..config.n_layers {
        let of_block: [(&str, &[usize]); 12] = [
            ("ln_1.weight", &[d_model]),
            ("ln_1.bias", &[d_model]),
            ("attn.c_attn.weight", &[d_model, 3 * d_model]),
            ("attn.c_attn.bias", &[3 * d_model]),
            ("attn.c_proj.weight", &[d_model, d_model]),
            ("attn.c_proj.bias", &[d_model]),
            ("ln_2.weight", &[d_model]),
            ("ln_2.bias", &[d_model]),
            ("mlp.c_fc.weight", &[d_model, d_mlp]),
            ("mlp.c_fc.bias", &[d_mlp]),
            ("mlp.c_proj.weight", &[d_mlp, d_model]),
            ("mlp.c_proj.bias", &[d_model]),
        ];
        let named =
            |&(name, shape): &(&str, &[usize])| (format!("h.{layer}.{name}"), shape.to_vec());
        weights.extend(of_block.iter().map(named));
    }
    weights.push(("ln_f.weight".to_owned(), vec![d_model]));
    weights.push(("ln_f.bias".to_owned(), vec![d_model]));
    if !config.tie_word_embeddings {
        weights.push((UNEMBEDDING.to_owned(), vec![d_vocab, d_model]));
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_buffers_and_biases_are_not() {
        assert!(is_buffer("h.0.attn.bias"));
        assert!(is_buffer("h.11.attn.masked_bias"));
        for weight in ["h.0.attn.c_attn.bias", "h.0.attn.c_proj.bias", "h..attn.bias", "ln_f.bias"]
        {
            assert!(!is_buffer(weight), "{weight}");
        }
    }
}
