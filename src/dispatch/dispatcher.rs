//! Fires the hooks of one run and keeps what was asked for.

use tch::{Device, Kind, Tensor};

use super::firing::{change, check_finite, fire};
use super::preflight::{Preflight, fork_and_norm};
use super::registries::{Registries, has_hook, hooks_in};
use super::site_set::SiteSet;
use super::tracking::Tracking;
use super::{Activations, Interrupt, Ledger, RunRange, Work};
use crate::config::Config;
use crate::error::{HookError, Result};
use crate::hook::{CaptureSpec, HookRegistry};
use crate::layout::{SegmentGroup, SegmentId, Segments, flatten};
use crate::site::{Region, Site};

/// What a run is to do besides computing.
pub(crate) struct Intent<'a> {
    pub registries: Registries<'a>,
    pub captures: Vec<CaptureSpec>,
    pub range: RunRange,
    pub check_finite: bool,
    /// Whether positions are computed one after the other.
    pub in_steps: bool,
}

impl<'a> Intent<'a> {
    /// To fire the hooks of `registries` in the whole model.
    pub fn of(registries: Registries<'a>) -> Self {
        let (range, captures) = (RunRange::WHOLE, Vec::new());
        Self { registries, captures, range, check_finite: false, in_steps: false }
    }
}

/// The state of one run's hooks: the model shows it every site that it passes.
///
/// A site that is only captured never changes how the model computes: captures are taken on the
/// side, and edits alone lead the run off its fused path. Not so where gradients are asked for: then
/// the logits must depend on what is captured.
pub(crate) struct Dispatcher<'a> {
    config: &'a Config,
    registries: Registries<'a>,
    range: RunRange,
    in_steps: bool,
    edited: SiteSet,
    captured: SiteSet,
    /// Those captured before the edits at the site.
    captured_before: SiteSet,
    captures: Vec<CaptureSpec>,
    check_finite: bool,
    tracking: Option<Tracking>,
    ledger: Ledger,
    activations: Activations,
    work: Work,
}

impl<'a> Dispatcher<'a> {
    /// Checks hooks and captures against the model and all `layouts` that the run is to go through,
    /// before anything is computed.
    pub fn new(
        config: &'a Config,
        layouts: &[Segments],
        intent: Intent<'a>,
        (kind, device): (Kind, Device),
    ) -> Result<Self> {
        let Intent { registries, ref captures, range, in_steps, .. } = intent;
        let preflight = Preflight { config, range, kind, device, in_steps };
        preflight.check_run(registries, layouts, captures)?;
        if let Some(segments) = layouts.first() {
            preflight.check_captures(captures, registries, segments)?;
        }
        Ok(Self::checked(config, intent, layouts.first().map_or(0, Segments::len)))
    }

    /// The same for hooks and captures that have been checked before.
    pub fn checked(config: &'a Config, intent: Intent<'a>, n_segments: usize) -> Self {
        let Intent { registries, captures, range, check_finite, in_steps } = intent;
        let mut edited = SiteSet::new(config.n_layers);
        let mut ledger = Ledger::new(config.n_layers);
        for (owner, registry) in registries.iter() {
            for region in Region::all(config.n_layers) {
                let hooks = hooks_in(registry, region);
                hooks.iter().for_each(|hook| edited.insert(hook.site()));
                ledger.open(owner, region, hooks);
            }
        }
        let [mut captured, mut captured_before] = [(); 2].map(|()| SiteSet::new(config.n_layers));
        for spec in &captures {
            captured.insert(spec.site());
            if spec.is_before_edits() {
                captured_before.insert(spec.site());
            }
        }
        Self {
            config,
            registries,
            range,
            in_steps,
            edited,
            captured,
            captured_before,
            check_finite,
            tracking: None,
            ledger,
            activations: Activations::new(captures.clone(), n_segments),
            captures,
            work: Work::default(),
        }
    }

    /// Whether block `layer` is left out for a segment.
    pub fn skips(&self, layer: usize, segment: SegmentId) -> bool {
        self.registries.skips(layer, segment)
    }

    /// Keeps what gradients with respect to the captured sites need.
    ///
    /// # Errors
    /// [`ForkRoundNorm`](crate::error::HookError::ForkRoundNorm) if one of them is not passed by what another one
    /// changes.
    pub fn track(&mut self) -> Result<()> {
        for layer in 0..self.config.n_layers {
            let wanted = fork_and_norm(layer, |site| {
                self.edited.contains(site) || self.captured.contains(site)
            });
            if let Some((fork, norm)) = wanted {
                return Err(HookError::ForkRoundNorm { fork, norm }.into());
            }
        }
        self.tracking = Some(Tracking::default());
        Ok(())
    }

    /// Whether gradients are asked for.
    pub fn tracks(&self) -> bool {
        self.tracking.is_some()
    }

    /// Whether the model must go on with what leaves `site`, rather than by its fused path.
    pub fn edits(&self, site: Site) -> bool {
        self.edited.contains(site) || (self.tracks() && self.captured.contains(site))
    }

    /// Whether the model must go on with what leaves one of `sites` for a segment.
    pub fn edits_for(&self, sites: &[Site], segment: SegmentId) -> bool {
        let has_hook = |site| self.registries.of(segment).any(|own| has_hook(own, site));
        sites.iter().any(|&site| self.edits(site) && (self.tracks() || has_hook(site)))
    }

    /// Whether the model must show what is at `site`.
    pub fn wants(&self, site: Site) -> bool {
        self.edited.contains(site) || self.captured.contains(site) || self.range.until == Some(site)
    }

    /// Whether a visit to `site` does anything.
    pub fn looks_at(&self, site: Site) -> bool {
        self.wants(site) || self.check_finite
    }

    /// What the model has computed, for it to add to.
    pub fn work(&mut self) -> &mut Work {
        &mut self.work
    }

    /// Passes the flat `[rows, …]` state of `site` through the hooks due there.
    pub fn visit(
        &mut self,
        site: Site,
        state: Tensor,
        segments: &Segments,
    ) -> Result<Tensor, Interrupt> {
        if !self.looks_at(site) {
            return Ok(state);
        }
        let state = self.keep_track(site, true, state, &segments.groups)?;
        let mut groups = Vec::with_capacity(segments.groups.len());
        for group in &segments.groups {
            groups.push(self.pass(site, group, group.stacked(&state)?)?);
        }
        let state = if self.edits(site) { flatten(groups)? } else { state };
        let state = self.keep_track(site, false, state, &segments.groups)?;
        self.go_on_after(site, state)
    }

    /// Passes the `[batch, …]` tensor of the `number`-th group of `segments` through the hooks due at
    /// `site`. Groups are to be visited in their order.
    pub fn visit_group(
        &mut self,
        site: Site,
        state: Tensor,
        segments: &Segments,
        number: usize,
    ) -> Result<Tensor, Interrupt> {
        let group = &segments.groups[number];
        let alone = std::slice::from_ref(group);
        let state = self.keep_track(site, true, state, alone)?;
        let state = self.pass(site, group, state)?;
        let state = self.keep_track(site, false, state, alone)?;
        if number + 1 < segments.groups.len() {
            return Ok(state);
        }
        self.go_on_after(site, state)
    }

    fn go_on_after(&self, site: Site, state: Tensor) -> Result<Tensor, Interrupt> {
        if self.range.until == Some(site) {
            return Err(Interrupt::Stopped);
        }
        Ok(state)
    }

    fn keep_track(
        &mut self,
        site: Site,
        before_edits: bool,
        state: Tensor,
        groups: &[SegmentGroup],
    ) -> Result<Tensor> {
        let sites = if before_edits { &self.captured_before } else { &self.captured };
        match &mut self.tracking {
            Some(tracking) if sites.contains(site) => {
                tracking.keep(site, before_edits, state, groups)
            }
            _ => Ok(state),
        }
    }

    /// Lets the hooks due at `site` edit the tensor of one group, and captures it.
    fn pass(
        &mut self,
        site: Site,
        group: &SegmentGroup,
        mut state: Tensor,
    ) -> Result<Tensor, Interrupt> {
        let is_captured = self.captured.contains(site);
        if is_captured {
            self.activations.keep(site, true, group, &state.f_detach()?)?;
        }
        if self.edited.contains(site) {
            state = self.edit(site, group, state)?;
        }
        if self.check_finite {
            check_finite(site, group, &state)?;
        }
        if is_captured {
            self.activations.keep(site, false, group, &state.f_detach()?)?;
        }
        Ok(state)
    }

    /// Closes the books.
    ///
    /// # Errors
    /// [`NeverFired`](crate::error::HookError::NeverFired).
    pub fn finish(self) -> Result<(Ledger, Activations, Work)> {
        self.ledger.check()?;
        self.close()
    }

    /// Closes the books, whether hooks fired or not.
    pub fn close(mut self) -> Result<(Ledger, Activations, Work)> {
        self.ledger.settle()?;
        Ok((self.ledger, self.activations, self.work))
    }

    /// The captured tensors, as gradients with respect to them can be asked for.
    pub fn tracked(&self, n_sequences: usize) -> Result<Activations> {
        match &self.tracking {
            Some(tracking) => tracking.activations(&self.captures, n_sequences),
            None => Ok(Activations::new(Vec::new(), n_sequences)),
        }
    }

    /// The gradients of `scalar` with respect to the captured sites; zero where it does not depend on
    /// one.
    pub fn gradients(&mut self, scalar: &Tensor, n_sequences: usize) -> Result<Activations> {
        let tracking = self.tracking.take().unwrap_or_default();
        tracking.gradients(scalar, &self.captures, n_sequences)
    }

    /// Lets the registries of a group's segments edit its tensor.
    fn edit(
        &mut self,
        site: Site,
        group: &SegmentGroup,
        state: Tensor,
    ) -> Result<Tensor, Interrupt> {
        let registries = self.registries;
        let state = self.apply(registries.shared, None, site, group, state)?;
        let has_own = |id| registries.own(id).is_some_and(|registry| has_hook(registry, site));
        if !group.ids().any(has_own) {
            return Ok(state);
        }
        // Each segment by itself and all of them joined once: an edit in place of a row would copy
        // the whole group for every registry.
        let mut rows = Vec::with_capacity(group.segments.len());
        for (member, id) in group.ids().enumerate() {
            let row = state.f_narrow(0, member as i64, 1)?;
            rows.push(match registries.own(id) {
                Some(own) => self.apply(own, Some(id), site, &group.alone(member), row)?,
                None => row,
            });
        }
        Ok(Tensor::f_cat(&rows, 0)?)
    }

    /// Lets the hooks that a registry has at `site` edit the tensor of a group; `owner` is the segment to
    /// which the registry belongs, if they do not share it.
    fn apply(
        &mut self,
        registry: &dyn HookRegistry,
        owner: Option<SegmentId>,
        site: Site,
        group: &SegmentGroup,
        mut state: Tensor,
    ) -> Result<Tensor, Interrupt> {
        let region = site.region();
        for (index, hook) in hooks_in(registry, region).iter().enumerate() {
            if hook.site() != site {
                continue;
            }
            let chosen = hook.selected().within(self.config, group);
            let Some(chosen) = chosen.map_err(|error| Interrupt::of(owner, error))? else {
                continue;
            };
            let part = chosen.part(site);
            let indices = if chosen.is_whole() { None } else { Some(chosen.indices_into(&state)?) };
            let selected = match &indices {
                None => state.shallow_clone(),
                Some(indices) => state.f_index(indices)?,
            };
            let edited = fire(hook, &selected, &part, self.in_steps);
            let edited = edited.map_err(|error| Interrupt::of(owner, error))?;
            let changed = change(site, &edited, &selected)?;
            self.ledger.book(owner, region, index, selected.numel(), changed);
            state = match &indices {
                None => edited,
                Some(indices) => state.f_index_put(indices, &edited, false)?,
            };
        }
        Ok(state)
    }
}
