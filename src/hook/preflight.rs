//! What is checked before anything is computed.

use tch::{Device, Kind};

use super::capture::Spec;
use super::registry::{Registries, has_hook, hooks_in};
use super::{Axes, Hook, HookRegistry, Site, TensorForm, Way};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::segment::{SegmentGroup, Segments};

/// What hooks and captures are checked against.
#[derive(Clone, Copy)]
pub(crate) struct Preflight<'a> {
    pub config: &'a Config,
    /// The layouts that the run goes through, one after the other.
    pub layouts: &'a [Segments],
    /// Sequences of the batch, which more segments than one may belong to.
    pub n_sequences: usize,
    pub way: Way,
    pub kind: Kind,
    pub device: Device,
}

impl Preflight<'_> {
    /// Checks every hook of every registry; `captures` may be what a hook is for.
    pub fn check_hooks(self, registries: Registries<'_>, captures: &[Spec]) -> Result<()> {
        let needed = self.layouts.first().map_or(0, Segments::len);
        match registries.each {
            Some(each) if each.len() != needed => {
                return Err(Error::RegistryCount { given: each.len(), needed });
            }
            _ => {}
        }
        for (sequence, registry) in registries.iter() {
            for layer in registry.layers() {
                let in_model = self.config.check_layer(layer);
                match registry.hooks(layer).first() {
                    Some(hook) => in_model.map_err(|error| refused(hook, sequence, error))?,
                    None => in_model?,
                }
            }
            let groups = self.groups_of(sequence);
            for layer in (0..self.config.n_layers).map(Some).chain([None]) {
                for hook in hooks_in(registry, layer) {
                    let checked = self.check_hook(hook, sequence, registries, &groups);
                    checked.map_err(|error| refused(hook, sequence, error))?;
                }
            }
            for layer in 0..self.config.n_layers {
                check_forks(layer, |site| {
                    has_hook(registry, site) || has_hook(registries.shared, site)
                })?;
            }
            if let Some((hook, reason)) = self.overwritten(registry, &groups, captures)? {
                return Err(refused(hook, sequence, reason));
            }
        }
        Ok(())
    }

    /// The groups that a registry is asked to edit: all, or its one sequence by itself.
    fn groups_of(self, sequence: Option<usize>) -> Vec<SegmentGroup> {
        let groups = self.layouts.iter().flat_map(|segments| &segments.groups);
        let Some(sequence) = sequence else { return groups.cloned().collect() };
        let alone = groups.filter_map(|group| {
            let member = group.ids().position(|id| id == sequence)?;
            Some(group.alone(member))
        });
        alone.collect()
    }

    fn check_hook(
        self,
        hook: &Hook,
        sequence: Option<usize>,
        registries: Registries<'_>,
        groups: &[SegmentGroup],
    ) -> Result<()> {
        let site = hook.site();
        site.check(self.config)?;
        self.way.check_passes(site, self.config)?;
        let skipped = match sequence {
            None => is_skipped(registries.shared, site),
            Some(segment) => registries.of(segment).any(|registry| is_skipped(registry, site)),
        };
        if skipped {
            return Err(Error::InSkippedBlock);
        }
        hook.selected().check_sequences(sequence.map_or(self.n_sequences, |_| 1))?;
        // Where positions come one by one, an edit sees no other ones.
        if self.layouts.len() > 1 && hook.edit().mixes_positions() {
            return Err(Error::MixesPositions);
        }
        groups.iter().try_for_each(|group| self.check_edit(hook, group))
    }

    /// Checks a selection and its edit against the sequences of one group.
    fn check_edit(self, hook: &Hook, group: &SegmentGroup) -> Result<()> {
        let Some(chosen) = hook.selected().within(self.config, group)? else { return Ok(()) };
        let part = chosen.part(hook.site());
        let form = TensorForm { size: part.size(), kind: self.kind, device: self.device };
        hook.edit().check(&form, &part)
    }

    /// Checks what is to be captured.
    pub fn check_captures(self, specs: &[Spec], registries: Registries<'_>) -> Result<()> {
        for spec in specs {
            let checked = self.check_capture(spec, registries);
            checked.map_err(|reason| Error::CaptureRefused {
                capture: spec.to_string(),
                reason: Box::new(reason),
            })?;
        }
        Ok(())
    }

    fn check_capture(self, spec: &Spec, registries: Registries<'_>) -> Result<()> {
        let site = spec.site;
        site.check(self.config)?;
        self.way.check_passes(site, self.config)?;
        let mut segments = 0..self.layouts.first().map_or(0, Segments::len);
        let is_skipped = |segment| registries.of(segment).any(|own| is_skipped(own, site));
        if segments.all(is_skipped) {
            return Err(Error::InSkippedBlock);
        }
        let groups = || self.layouts.iter().flat_map(|segments| &segments.groups);
        if site.axes() != Axes::Attention {
            spec.check_width(site.axes().width(self.config))?;
        }
        for group in groups() {
            spec.positions_in(group)?;
            if site.axes() == Axes::Attention {
                spec.check_width(group.span.end)?;
            }
        }
        Ok(())
    }
}

fn refused(hook: &Hook, sequence: Option<usize>, reason: Error) -> Error {
    Error::HookRefused {
        hook: format!("{:?}", hook.edit()),
        selected: hook.selected().to_string(),
        sequence,
        reason: Box::new(reason),
    }
}

/// Whether a registry leaves out the block that `site` is in.
pub(crate) fn is_skipped(registry: &dyn HookRegistry, site: Site) -> bool {
    !site.is_block_end() && site.layer().is_some_and(|layer| registry.skips(layer))
}

/// An edited fork has a layer norm of its own; an edit of the block's layer norm would not reach
/// what reads the fork, and that must not pass in silence.
pub(super) fn check_forks(layer: usize, edited: impl Fn(Site) -> bool) -> Result<()> {
    let forks =
        [Site::attn_in(layer), Site::q_input(layer), Site::k_input(layer), Site::v_input(layer)];
    let norm = [Site::ln1_scale(layer), Site::ln1_normalized(layer)];
    let edited = |site: &&Site| edited(**site);
    match (forks.iter().find(edited), norm.iter().find(edited)) {
        (Some(fork), Some(norm)) => {
            Err(Error::ForkAndNorm { fork: fork.to_string(), norm: norm.to_string() })
        }
        _ => Ok(()),
    }
}
