//! What of a run the hooks of a registry can change.

use crate::config::Config;
use crate::dispatch::hooks_in;
use crate::error::Result;
use crate::hook::{Hook, HookRegistry, Mixing};
use crate::layout::{SegmentGroup, Stage};
use crate::site::Region;

/// The causal cone of some hooks: later stages, at the same or later positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cone {
    /// The stage from which on a run with the hooks may differ from one without.
    pub stage: Stage,
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
        let end = group.span.end.saturating_sub(1);
        let mut cone = Self { stage: Stage::entering(n_layers), start: end };
        let mut widen = |stage: Stage, start: usize| {
            cone = Self { stage: cone.stage.min(stage), start: cone.start.min(start) };
        };
        for region in Region::all(n_layers) {
            for hook in hooks_in(registry, region) {
                if let Some(start) = first_position(hook, config, group)? {
                    widen(Stage::before(hook.site(), n_layers), start);
                }
            }
            if let Region::Block(layer) = region
                && registry.skips(layer)
            {
                widen(Stage::entering(layer), 0);
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
pub(super) fn first_mixed(
    registry: &dyn HookRegistry,
    config: &Config,
    group: &SegmentGroup,
    stage: Stage,
) -> Result<Option<usize>> {
    let mut first = None;
    for region in Region::all(config.n_layers) {
        for hook in hooks_in(registry, region) {
            if Stage::before(hook.site(), config.n_layers) < stage {
                continue;
            }
            let Some(chosen) = hook.selected().within(config, group)? else { continue };
            if hook.edit().mixing(&chosen.part(hook.site()))? != Mixing::Never {
                first = first.into_iter().chain(chosen.first_position()).min();
            }
        }
    }
    Ok(first)
}

fn first_position(hook: &Hook, config: &Config, group: &SegmentGroup) -> Result<Option<usize>> {
    let chosen = hook.selected().within(config, group)?;
    Ok(chosen.and_then(|chosen| chosen.first_position()))
}
