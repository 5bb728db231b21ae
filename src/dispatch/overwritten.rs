//! Edits that another edit undoes before anything sees them.

use super::preflight::{Checked, Preflight};
use super::registries::hooks_in;
use crate::error::{Error, HookError, Result};
use crate::hook::{CaptureSpec, Hook};
use crate::layout::SegmentGroup;
use crate::site::Region;

impl Preflight<'_> {
    /// The first hook of a registry that is overwritten by a later one, and why it is refused.
    ///
    /// A capture between the two would see the first one's work, which then is no mistake.
    pub(super) fn overwritten<'h>(
        self,
        checked: Checked<'h>,
        captures: &[CaptureSpec],
    ) -> Result<Option<(&'h Hook, Error)>> {
        let regions = Region::all(self.config.n_layers);
        let mut hooks: Vec<&Hook> =
            regions.flat_map(|region| hooks_in(checked.registry, region)).collect();
        // Those of one site stay in the order in which they apply.
        hooks.sort_by_key(|hook| hook.site());
        for (number, &hook) in hooks.iter().enumerate() {
            for &later in hooks[number + 1..].iter().filter(|later| later.edit().overwrites()) {
                if self.undoes(later, hook, checked.groups)? && !is_seen(hook, later, captures) {
                    let (by, at) = (format!("{:?}", later.edit()), later.selected().to_string());
                    return Ok(Some((hook, HookError::Overwritten { by, at }.into())));
                }
            }
        }
        Ok(None)
    }

    /// Whether nothing of what `hook` does gets past `later`.
    fn undoes(self, later: &Hook, hook: &Hook, groups: &[SegmentGroup]) -> Result<bool> {
        let is_same_site = later.site() == hook.site();
        if is_same_site {
            // What is hidden stays so.
            if hook.site().is_scores() && hook.edit().hides_keys() {
                return Ok(false);
            }
        } else if !later.site().is_passed_by_all_of(hook.site()) {
            return Ok(false);
        }
        for group in groups {
            let chosen = hook.selected().within(self.config, group)?;
            let undone = later.selected().within(self.config, group)?;
            let covers = if is_same_site {
                let Some(chosen) = chosen else { continue };
                undone.is_some_and(|undone| undone.covers(&chosen))
            } else {
                let mut sequences = group.segments.iter().map(|segment| segment.sequence);
                if !sequences.any(|sequence| hook.selected().has_sequence(sequence)) {
                    continue;
                }
                // Between two sites positions and channels mix, and later positions read the keys of
                // earlier ones: only the whole tensor, at every step, covers all of it.
                undone.is_some_and(|undone| undone.is_whole())
            };
            if !covers {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether a capture sees what `hook` did before `later` undoes it.
fn is_seen(hook: &Hook, later: &Hook, captures: &[CaptureSpec]) -> bool {
    captures.iter().any(|spec| {
        let (site, before_edits) = (spec.site(), spec.is_before_edits());
        let after_hook = site > hook.site() || (site == hook.site() && !before_edits);
        let before_later = site < later.site() || (site == later.site() && before_edits);
        after_hook && before_later
    })
}
