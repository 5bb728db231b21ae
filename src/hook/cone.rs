//! What of a run the hooks of a registry can change.

use super::registry::hooks_in;
use super::{Hook, HookRegistry, Site};
use crate::config::Config;
use crate::error::Result;
use crate::segment::SegmentGroup;

/// The causal cone of some hooks: later stages, at the same or later positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cone {
    /// The stage from which on a run with the hooks may differ from one without: 0 is the embedding,
    /// `l + 1` what comes before block `l` or, for `l` the number of layers, after the last one.
    pub stage: usize,
    /// The first position that may differ.
    pub start: usize,
}

impl Cone {
    /// The cone of all hooks of `registry` in one sequence, which is all of `group`.
    ///
    /// # Errors
    /// Whatever a hook selects that model or sequence do not have.
    pub fn of(registry: &dyn HookRegistry, config: &Config, group: &SegmentGroup) -> Result<Self> {
        let n_layers = config.n_layers;
        let mut cone = Self { stage: n_layers + 1, start: group.span.end.saturating_sub(1) };
        let mut widen = |stage: usize, start: usize| {
            cone = Self { stage: cone.stage.min(stage), start: cone.start.min(start) };
        };
        for layer in (0..n_layers).map(Some).chain([None]) {
            for hook in hooks_in(registry, layer) {
                if let Some(start) = first_position(hook, config, group)? {
                    widen(stage_of(hook.site(), n_layers), start);
                }
            }
            if let Some(layer) = layer.filter(|&layer| registry.skips(layer)) {
                widen(layer + 1, 0);
            }
        }
        Ok(cone)
    }
}

/// The first position of a sequence, which is all of `group`, that hooks of `registry` may mix with others
/// from `stage` on.
///
/// # Errors
/// Those of [`Cone::of`].
pub(crate) fn first_mixed(
    registry: &dyn HookRegistry,
    config: &Config,
    group: &SegmentGroup,
    stage: usize,
) -> Result<Option<usize>> {
    let mut first = None;
    for layer in (0..config.n_layers).map(Some).chain([None]) {
        for hook in hooks_in(registry, layer) {
            let is_passed = stage_of(hook.site(), config.n_layers) >= stage;
            if is_passed && hook.edit().may_mix_positions() {
                let mixed = first_position(hook, config, group)?;
                first = first.into_iter().chain(mixed).min();
            }
        }
    }
    Ok(first)
}

fn first_position(hook: &Hook, config: &Config, group: &SegmentGroup) -> Result<Option<usize>> {
    let chosen = hook.selected().within(config, group)?;
    Ok(chosen.and_then(|chosen| chosen.part(hook.site()).positions.first().copied()))
}

/// The stage that a segment must have forked off at, at the latest, to pass `site` by itself: segments
/// fork off between blocks, those that first differ at `resid_post` after theirs.
pub(crate) fn stage_of(site: Site, n_layers: usize) -> usize {
    match site.layer() {
        Some(layer) if site == Site::resid_post(layer) => layer + 2,
        Some(layer) => layer + 1,
        None if site < Site::resid_pre(0) => 0,
        None => n_layers + 1,
    }
}
