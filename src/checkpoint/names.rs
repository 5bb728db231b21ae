//! Hugging Face's names of GPT-2's weights: what is loaded, which shapes are expected and what the report
//! compares are all said here.

use std::fmt;

use crate::config::Config;

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
    let mut expected = Vec::new();
    for module in Module::all(config) {
        let shape = module.shape(config);
        // As long as the last axis, of layer norms and affine maps alike.
        let bias = module.has_bias().then(|| shape[shape.len() - 1..].to_vec());
        expected.push((module.weight(), shape));
        expected.extend(bias.map(|shape| (module.bias(), shape)));
    }
    expected
}

/// A part of GPT-2 that has weights, as Hugging Face cuts it up; those of a block with its layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Module {
    Wte,
    Wpe,
    Ln1(usize),
    AttnCAttn(usize),
    AttnCProj(usize),
    Ln2(usize),
    MlpCFc(usize),
    MlpCProj(usize),
    LnF,
    LmHead,
}

impl Module {
    /// The name of its weight.
    pub fn weight(self) -> String {
        format!("{self}.weight")
    }

    /// The name of its bias.
    pub fn bias(self) -> String {
        format!("{self}.bias")
    }

    /// Those of a model of this configuration, in the order of the model.
    fn all(config: &Config) -> impl Iterator<Item = Self> {
        use Module::*;
        let of_block = |l| [Ln1(l), AttnCAttn(l), AttnCProj(l), Ln2(l), MlpCFc(l), MlpCProj(l)];
        let lm_head = (!config.tie_word_embeddings).then_some(LmHead);
        let blocks = (0..config.n_layers).flat_map(of_block);
        [Wte, Wpe].into_iter().chain(blocks).chain([LnF]).chain(lm_head)
    }

    /// The stored shape of its weight: of the affine maps in the blocks, `[in, out]`.
    fn shape(self, config: &Config) -> Vec<usize> {
        let &Config { d_model, d_mlp, d_vocab, n_ctx, .. } = config;
        match self {
            Module::Wte | Module::LmHead => vec![d_vocab, d_model],
            Module::Wpe => vec![n_ctx, d_model],
            Module::Ln1(_) | Module::Ln2(_) | Module::LnF => vec![d_model],
            Module::AttnCAttn(_) => vec![d_model, 3 * d_model],
            Module::AttnCProj(_) => vec![d_model, d_model],
            Module::MlpCFc(_) => vec![d_model, d_mlp],
            Module::MlpCProj(_) => vec![d_mlp, d_model],
        }
    }

    fn has_bias(self) -> bool {
        !matches!(self, Module::Wte | Module::Wpe | Module::LmHead)
    }
}

impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Module::Wte => f.write_str("wte"),
            Module::Wpe => f.write_str("wpe"),
            Module::Ln1(layer) => write!(f, "h.{layer}.ln_1"),
            Module::AttnCAttn(layer) => write!(f, "h.{layer}.attn.c_attn"),
            Module::AttnCProj(layer) => write!(f, "h.{layer}.attn.c_proj"),
            Module::Ln2(layer) => write!(f, "h.{layer}.ln_2"),
            Module::MlpCFc(layer) => write!(f, "h.{layer}.mlp.c_fc"),
            Module::MlpCProj(layer) => write!(f, "h.{layer}.mlp.c_proj"),
            Module::LnF => f.write_str("ln_f"),
            Module::LmHead => f.write_str("lm_head"),
        }
    }
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
