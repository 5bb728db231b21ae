//! The residual stream of a clean run, patched into a corrupted one, layer by layer.

use hooked_gpt2::hook::{At, NoHooks, Positions, Site};
use hooked_gpt2::intervention::Interventions;
use hooked_gpt2::{Batch, Gpt2, Result, Tokenizer};

use crate::reading::loss;

/// Where at the last position the clean residual stream brings back most of the word.
pub fn best_place(model: &Gpt2, tokenizer: &Tokenizer) -> Result<String> {
    let clean = Batch::single(tokenizer.encode("She was a very happy")?)?;
    let corrupted = Batch::single(tokenizer.encode("He was a very happy")?)?;
    let target = tokenizer.single_token(" woman")?;
    let n_layers = model.config().n_layers;
    let sites = (0..n_layers).map(Site::resid_pre);
    let kept = model.run(&clean).capture(sites).without_logits().execute()?.activations;

    let without = loss(model, &corrupted, &NoHooks, target)?;
    let with = loss(model, &clean, &NoHooks, target)?;
    let mut best = (0, f64::NEG_INFINITY);
    for layer in 0..n_layers {
        let last = kept.get(Site::resid_pre(layer), 0)?.f_get(-1)?;
        let mut hooks = Interventions::new();
        hooks.set(At::resid_pre(layer).positions(Positions::last()), &last)?;
        let share = (without - loss(model, &corrupted, &hooks, target)?) / (without - with);
        if share > best.1 {
            best = (layer, share);
        }
    }
    let (layer, share) = best;
    Ok(format!("patching: resid_pre of layer {layer} brings back {:.0} %", 100.0 * share))
}
