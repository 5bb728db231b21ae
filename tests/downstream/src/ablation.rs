//! Each head silenced, one after the other.

use hooked_gpt2::hook::{At, NoHooks};
use hooked_gpt2::intervention::Interventions;
use hooked_gpt2::{Batch, Gpt2, Result, Tokenizer};

use crate::reading::loss;

/// The head without which the word is least likely.
pub fn worst_head(model: &Gpt2, tokenizer: &Tokenizer) -> Result<String> {
    let prompt = Batch::single(tokenizer.encode("It was the best of")?)?;
    let target = tokenizer.single_token(" the")?;
    let clean = loss(model, &prompt, &NoHooks, target)?;
    let mut worst = (0, 0, f64::NEG_INFINITY);
    for layer in 0..model.config().n_layers {
        for head in 0..model.config().n_heads {
            let mut hooks = Interventions::new();
            hooks.zero(At::z(layer).heads([head]));
            let change = loss(model, &prompt, &hooks, target)? - clean;
            if change > worst.2 {
                worst = (layer, head, change);
            }
        }
    }
    let (layer, head, change) = worst;
    Ok(format!("ablation: without head {head} of layer {layer} the loss rises by {change:.3} nats"))
}
