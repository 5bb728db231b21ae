//! Edits that another edit undoes before anything sees them.

use super::capture::Spec;
use super::preflight::Preflight;
use super::registry::hooks_in;
use super::{Hook, HookRegistry};
use crate::error::{Error, Result};
use crate::segment::SegmentGroup;

impl Preflight<'_> {
    /// The first hook of a registry that is overwritten by a later one, and why it is refused.
    ///
    /// A capture between the two would see the first one's work, which then is no mistake.
    pub fn overwritten<'h>(
        self,
        registry: &'h dyn HookRegistry,
        groups: &[SegmentGroup],
        captures: &[Spec],
    ) -> Result<Option<(&'h Hook, Error)>> {
        let layers = (0..self.config.n_layers).map(Some).chain([None]);
        let mut hooks: Vec<&Hook> = layers.flat_map(|layer| hooks_in(registry, layer)).collect();
        // Those of one site stay in the order in which they apply.
        hooks.sort_by_key(|hook| hook.site());
        for (number, &hook) in hooks.iter().enumerate() {
            for &later in hooks[number + 1..].iter().filter(|later| later.edit().overwrites()) {
                if self.undoes(later, hook, groups)? && !is_seen(hook, later, captures) {
                    let (by, at) = (format!("{:?}", later.edit()), later.selected().to_string());
                    return Ok(Some((hook, Error::Overwritten { by, at })));
                }
            }
        }
        Ok(None)
    }

    /// Whether nothing of what `hook` does gets past `later`.
    fn undoes(self, later: &Hook, hook: &Hook, groups: &[SegmentGroup]) -> Result<bool> {
        let is_same_site = later.site() == hook.site();
        if !is_same_site && !later.site().is_passed_by_all_of(hook.site()) {
            return Ok(false);
        }
        for group in groups {
            let Some(chosen) = hook.selected().within(self.config, group)? else { continue };
            let Some(undone) = later.selected().within(self.config, group)? else {
                return Ok(false);
            };
            // Between two sites positions and channels mix: only the whole tensor covers all of it.
            let is_whole = undone.indices.iter().all(Option::is_none);
            if !(is_whole || is_same_site && undone.covers(&chosen)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether a capture sees what `hook` did before `later` undoes it.
fn is_seen(hook: &Hook, later: &Hook, captures: &[Spec]) -> bool {
    captures.iter().any(|spec| {
        let after_hook =
            spec.site > hook.site() || (spec.site == hook.site() && !spec.before_edits);
        let before_later =
            spec.site < later.site() || (spec.site == later.site() && spec.before_edits);
        after_hook && before_later
    })
}

#[cfg(test)]
mod tests {
    use super::super::Site;

    /// What reaches the logits past a site, written down by hand from the formulas of a block.
    #[test]
    fn a_site_is_passed_by_what_has_no_other_way_to_the_logits() {
        let all = || Site::all(3);
        let passing = |site: Site| -> Vec<Site> {
            all().filter(|&earlier| site.is_passed_by_all_of(earlier)).collect()
        };
        let of = |sites: &[fn(usize) -> Site]| -> Vec<Site> {
            let mut sites: Vec<Site> = sites.iter().map(|site| site(1)).collect();
            sites.sort();
            sites
        };
        for stream in [Site::resid_pre(1), Site::resid_mid(1), Site::resid_post(1)] {
            assert_eq!(passing(stream), all().filter(|&site| site < stream).collect::<Vec<_>>());
        }
        assert_eq!(passing(Site::unembed()).len(), all().count() - 1);
        assert_eq!(passing(Site::ln_final_normalized()).len(), all().count() - 2);
        assert!(passing(Site::ln_final_scale()).is_empty());
        assert!(passing(Site::ln1_scale(1)).is_empty());
        assert!(passing(Site::attn_in(1)).is_empty());
        assert_eq!(passing(Site::ln1_normalized(1)), of(&[Site::ln1_scale]));
        assert_eq!(passing(Site::q(1)), of(&[Site::q_input]));
        assert_eq!(passing(Site::v(1)), of(&[Site::v_input]));
        let scores = [Site::q_input, Site::k_input, Site::q, Site::k];
        assert_eq!(passing(Site::attn_scores(1)), of(&scores));
        let in_attention = |site: &Site| site.layer() == Some(1) && *site > Site::resid_pre(1);
        for (end, first) in [(Site::z(1), Site::attn_in(1)), (Site::attn_out(1), Site::attn_in(1))]
        {
            let inside: Vec<Site> =
                all().filter(|site| in_attention(site) && *site < end).collect();
            assert_eq!(inside[0], first);
            assert_eq!(passing(end), inside);
        }
        assert_eq!(
            passing(Site::mlp_pre(1)),
            of(&[Site::mlp_in, Site::ln2_scale, Site::ln2_normalized])
        );
        assert!(passing(Site::ln2_scale(1)).is_empty());
    }
}
