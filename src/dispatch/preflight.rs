//! What is checked before anything is computed.

use tch::{Device, Kind};

use super::RunRange;
use super::registries::{Registries, has_hook, hooks_in};
use crate::config::Config;
use crate::error::{CaptureError, Error, HookError, Result};
use crate::hook::{CaptureSpec, Hook, HookRegistry, Mixing, TensorForm};
use crate::layout::{SegmentGroup, SegmentId, Segments};
use crate::site::{Region, Site, SiteShape};

/// What hooks and captures are checked against.
#[derive(Clone, Copy)]
pub(crate) struct Preflight<'a> {
    pub config: &'a Config,
    pub range: RunRange,
    pub kind: Kind,
    pub device: Device,
    /// Whether positions are computed one after the other.
    pub in_steps: bool,
}

/// A registry to be checked.
#[derive(Clone, Copy)]
pub(crate) struct Checked<'c> {
    pub registry: &'c dyn HookRegistry,
    /// The registry that acts before it on the same segments, if it is one segment's own.
    pub under: Option<&'c dyn HookRegistry>,
    /// The groups that it is asked to edit, of all layouts that the run goes through.
    pub groups: &'c [SegmentGroup],
    /// Sequences that it may select.
    pub n_sequences: usize,
}

impl Checked<'_> {
    /// Whether the block that `site` is in is left out.
    fn skips(self, site: Site) -> bool {
        let under = self.under.into_iter();
        under.chain([self.registry]).any(|registry| is_skipped(registry, site))
    }
}

impl Preflight<'_> {
    /// Checks the registries of a run through `layouts`, one after the other; `captures` may be what a hook
    /// is for.
    pub fn check_run(
        self,
        registries: Registries<'_>,
        layouts: &[Segments],
        captures: &[CaptureSpec],
    ) -> Result<()> {
        let n_sequences = layouts.first().map_or(0, Segments::len);
        match registries.each {
            Some(each) if each.len() != n_sequences => {
                return Err(
                    HookError::RegistryCount { given: each.len(), needed: n_sequences }.into()
                );
            }
            _ => {}
        }
        for (owner, registry) in registries.iter() {
            let groups = layouts.iter().flat_map(|segments| &segments.groups);
            let checked = match owner {
                None => {
                    let groups: Vec<SegmentGroup> = groups.cloned().collect();
                    let checked = Checked { registry, under: None, groups: &groups, n_sequences };
                    self.check_registry(checked, captures)
                }
                Some(owner) => {
                    let own = groups.filter_map(|group| alone(group, owner));
                    let groups: Vec<SegmentGroup> = own.collect();
                    let under = Some(registries.shared);
                    let checked = Checked { registry, under, groups: &groups, n_sequences: 1 };
                    self.check_registry(checked, captures)
                }
            };
            checked.map_err(|error| of_sequence(owner, error))?;
        }
        Ok(())
    }

    /// Checks every hook of a registry; `captures` may be what a hook is for.
    pub fn check_registry(self, checked: Checked<'_>, captures: &[CaptureSpec]) -> Result<()> {
        let registry = checked.registry;
        for layer in registry.layers() {
            let in_model = self.config.check_layer(layer);
            match registry.hooks(layer).first() {
                Some(hook) => in_model.map_err(|reason| refused(hook, reason))?,
                None => in_model?,
            }
        }
        for region in Region::all(self.config.n_layers) {
            for hook in hooks_in(registry, region) {
                self.check_hook(hook, checked).map_err(|reason| refused(hook, reason))?;
            }
        }
        for layer in 0..self.config.n_layers {
            check_forks(layer, |site| {
                has_hook(registry, site) || checked.under.is_some_and(|under| has_hook(under, site))
            })?;
        }
        match self.overwritten(checked, captures)? {
            Some((hook, reason)) => Err(refused(hook, reason)),
            None => Ok(()),
        }
    }

    fn check_hook(self, hook: &Hook, checked: Checked<'_>) -> Result<()> {
        let site = hook.site();
        self.config.check_site(site)?;
        self.range.check_passes(site, self.config)?;
        if checked.skips(site) {
            return Err(HookError::InSkippedBlock.into());
        }
        hook.selected().check_sequences(checked.n_sequences)?;
        for group in checked.groups {
            self.check_edit(hook, group)?;
        }
        Ok(())
    }

    /// Checks a selection and its edit against the sequences of one group.
    fn check_edit(self, hook: &Hook, group: &SegmentGroup) -> Result<()> {
        let all = hook.selected().of_sequences(self.config, group)?;
        let Some(all) = all else { return Ok(()) };
        let part = all.part(hook.site());
        let form = TensorForm { size: part.size(), kind: self.kind, device: self.device };
        hook.edit().check(&form, &part)?;
        if self.in_steps && hook.edit().mixing(&part)? == Mixing::Always {
            return Err(HookError::MixesPositions.into());
        }
        Ok(())
    }

    /// Checks what is to be captured.
    pub fn check_captures(
        self,
        specs: &[CaptureSpec],
        registries: Registries<'_>,
        segments: &Segments,
    ) -> Result<()> {
        for spec in specs {
            let checked = self.check_capture(spec, registries, segments);
            checked.map_err(|reason| CaptureError::Refused {
                site: spec.site(),
                capture: spec.to_string(),
                reason: Box::new(reason),
            })?;
        }
        Ok(())
    }

    fn check_capture(
        self,
        spec: &CaptureSpec,
        registries: Registries<'_>,
        segments: &Segments,
    ) -> Result<()> {
        let site = spec.site();
        self.config.check_site(site)?;
        self.range.check_passes(site, self.config)?;
        spec.check_reduction()?;
        spec.check_heads(self.config)?;
        let is_skipped = |id| registries.of(id).any(|own| is_skipped(own, site));
        if segments.groups.iter().flat_map(SegmentGroup::ids).all(is_skipped) {
            return Err(HookError::InSkippedBlock.into());
        }
        if site.shape() != SiteShape::Attention {
            spec.check_width(self.config.width(site.shape()))?;
        }
        for group in &segments.groups {
            spec.positions_in(group)?;
            if site.shape() == SiteShape::Attention {
                spec.check_width(group.span.end)?;
            }
        }
        Ok(())
    }
}

/// One segment of a group by itself, if it is there.
fn alone(group: &SegmentGroup, id: SegmentId) -> Option<SegmentGroup> {
    let member = group.ids().position(|member| member == id)?;
    Some(group.alone(member))
}

/// Names the sequence whose registry an error is about, in a plain run.
pub(super) fn of_sequence(owner: Option<SegmentId>, error: Error) -> Error {
    match owner {
        Some(SegmentId(sequence)) => {
            HookError::OfSequence { sequence, source: Box::new(error) }.into()
        }
        None => error,
    }
}

fn refused(hook: &Hook, reason: Error) -> Error {
    let refused = HookError::Refused {
        hook: format!("{:?}", hook.edit()),
        site: hook.site(),
        selected: hook.selected().to_string(),
        reason: Box::new(reason),
    };
    refused.into()
}

/// Whether a registry leaves out the block that `site` is in.
pub(crate) fn is_skipped(registry: &dyn HookRegistry, site: Site) -> bool {
    !site.is_block_end() && site.layer().is_some_and(|layer| registry.skips(layer))
}

/// An edited fork has a layer norm of its own; an edit of the block's layer norm would not reach
/// what reads the fork, and that must not pass in silence.
fn check_forks(layer: usize, edited: impl Fn(Site) -> bool) -> Result<()> {
    match fork_and_norm(layer, edited) {
        Some((fork, norm)) => Err(HookError::ForkAndNorm { fork, norm }.into()),
        None => Ok(()),
    }
}

/// A fork and a site of the layer norm that it goes round, if both are `wanted`.
pub(super) fn fork_and_norm(layer: usize, wanted: impl Fn(Site) -> bool) -> Option<(Site, Site)> {
    let (forks, norm) = (Site::attention_forks(layer), Site::attention_norm(layer));
    let wanted = |site: &&Site| wanted(**site);
    Some((*forks.iter().find(wanted)?, *norm.iter().find(wanted)?))
}
