//! The sweeps that are measured.

use hooked_gpt2::hook::{At, Positions, Site};
use hooked_gpt2::intervention::Interventions;
use hooked_gpt2::sweep::{Axis, Variants};
use hooked_gpt2::{Batch, Config, Gpt2, Result};

/// The prompt of the sweeps over variants and layers, in tokens.
pub const PROMPT: usize = 11;
const MOST_VARIANTS: usize = 128;
pub const PATCHED_LAYERS: usize = 4;
pub const PATCHED_POSITIONS: usize = 8;
const LONGEST_PROMPT: usize = 128;
const FACTOR: f64 = 0.6;

/// One sweep, and where it stands on the axis.
pub struct Case {
    pub at: usize,
    pub batch: Batch,
    pub variants: Variants,
}

/// Up to 128 heads, spread evenly over the model, ablated one by one.
pub fn by_variants(config: &Config) -> Result<Vec<Case>> {
    let n_all = config.n_layers * config.n_heads;
    doubling(1, MOST_VARIANTS.min(n_all))
        .map(|count| {
            let batch = Batch::single(tokens(config, PROMPT, 0))?;
            let variants = Variants::over(
                [Axis::counting("head", count)],
                |index, _| {
                    let number = middle_of(index[0], count, n_all);
                    let (layer, head) = (number / config.n_heads, number % config.n_heads);
                    let mut hooks = Interventions::new();
                    hooks.zero(At::z(layer).heads([head]));
                    Ok(hooks)
                },
                &batch,
            )?;
            Ok(Case { at: count, batch, variants })
        })
        .collect()
}

/// Each layer of the model scaled.
pub fn every_layer(config: &Config) -> Result<Case> {
    let batch = Batch::single(tokens(config, PROMPT, 0))?;
    let variants = Variants::layer_factors(0..config.n_layers, &[FACTOR], &batch)?;
    Ok(Case { at: config.n_layers, batch, variants })
}

/// A patching grid of as many variants whatever the length of the prompt, and so with the same share of
/// a run inside their cones.
pub fn by_positions(model: &Gpt2) -> Result<Vec<Case>> {
    let config = model.config();
    let n_layers = PATCHED_LAYERS.min(config.n_layers);
    let layers: Vec<usize> = (0..n_layers).map(|it| it * config.n_layers / n_layers).collect();
    doubling(PATCHED_POSITIONS, LONGEST_PROMPT.min(config.n_ctx))
        .map(|len| {
            let batch = Batch::single(tokens(config, len, 0))?;
            let other = Batch::single(tokens(config, len, 1))?;
            let sites = layers.iter().copied().map(Site::resid_pre);
            let kept = model.run(&other).capture(sites).without_logits().execute()?.activations;
            let positions: Vec<usize> =
                (0..PATCHED_POSITIONS).map(|it| it * len / PATCHED_POSITIONS).collect();
            let axes = [Axis::new("layer", &layers), Axis::new("position", &positions)];
            let variants = Variants::over(
                axes,
                |index, _| {
                    let (layer, position) = (layers[index[0]], positions[index[1]]);
                    let value = kept.get(Site::resid_pre(layer), 0)?.f_get(position as i64)?;
                    let mut hooks = Interventions::new();
                    hooks.set(At::resid_pre(layer).positions(Positions::at(position)), &value)?;
                    Ok(hooks)
                },
                &batch,
            )?;
            Ok(Case { at: len, batch, variants })
        })
        .collect()
}

/// `from`, doubled as long as it is at most `to`.
pub fn doubling(from: usize, to: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(from), |at| Some(2 * at)).take_while(move |&at| at <= to)
}

/// The middle of part `part` of `0..len`, cut into `parts`.
fn middle_of(part: usize, parts: usize, len: usize) -> usize {
    (2 * part + 1) * len / (2 * parts)
}

/// Any tokens: what a pass takes does not depend on them.
fn tokens(config: &Config, len: usize, first: usize) -> Vec<u32> {
    (first..first + len).map(|place| ((place * 7919 + 13) % config.d_vocab) as u32).collect()
}
