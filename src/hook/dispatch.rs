//! Fires the hooks of one run and keeps what was asked for.

use tch::{Device, Kind, Tensor};

use super::capture::Spec;
use super::preflight::{Preflight, check_forks};
use super::registry::{Registries, has_hook, hooks_in};
use super::site_set::SiteSet;
use super::tracking::Tracking;
use super::{Activations, Axes, Halt, Hook, HookRegistry, Ledger, Part, Site, TensorForm, Way};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::segment::{self, SegmentGroup, Segments};

/// What a run is to do besides computing.
pub(crate) struct Intent<'a> {
    pub registries: Registries<'a>,
    pub captures: Vec<Spec>,
    /// Sequences of the batch.
    pub n_sequences: usize,
    pub way: Way,
    pub check_finite: bool,
}

/// The state of one run's hooks: the model shows it every site that it passes.
///
/// A site that is only captured never changes how the model computes: captures are taken on the
/// side, and edits alone lead the run off its fused path. Not so where gradients are asked for: then
/// the logits must depend on what is captured.
pub(crate) struct Dispatcher<'a> {
    config: &'a Config,
    registries: Registries<'a>,
    way: Way,
    edited: SiteSet,
    captured: SiteSet,
    check_finite: bool,
    tracking: Option<Tracking>,
    ledger: Ledger,
    activations: Activations,
    work: Work,
}

/// What a run computed: rows, one for each position of each sequence, by component.
///
/// A plain run over `n` tokens takes `n · n_layers` rows of attention and of MLPs. Nearly all of its
/// time goes into them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Work {
    /// Rows that went through an attention layer.
    pub attention_rows: usize,
    /// Rows that went through an MLP.
    pub mlp_rows: usize,
    /// Rows that were unembedded.
    pub unembedded_rows: usize,
}

impl std::ops::AddAssign for Work {
    fn add_assign(&mut self, more: Self) {
        self.attention_rows += more.attention_rows;
        self.mlp_rows += more.mlp_rows;
        self.unembedded_rows += more.unembedded_rows;
    }
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
        let Intent { registries, ref captures, n_sequences, way, .. } = intent;
        let preflight = Preflight { config, layouts, n_sequences, way, kind, device };
        preflight.check_hooks(registries, captures)?;
        preflight.check_captures(captures, registries)?;
        Ok(Self::checked(config, intent, layouts.first().map_or(0, Segments::len)))
    }

    /// The same for hooks and captures that have been checked before.
    pub fn checked(config: &'a Config, intent: Intent<'a>, n_segments: usize) -> Self {
        let Intent { registries, captures, way, check_finite, .. } = intent;
        let mut edited = SiteSet::new(config.n_layers);
        let mut ledger = Ledger::default();
        for (sequence, registry) in registries.iter() {
            for layer in (0..config.n_layers).map(Some).chain([None]) {
                let hooks = hooks_in(registry, layer);
                hooks.iter().for_each(|hook| edited.insert(hook.site()));
                ledger.open(sequence, layer, hooks);
            }
        }
        let mut captured = SiteSet::new(config.n_layers);
        captures.iter().for_each(|spec| captured.insert(spec.site));
        Self {
            config,
            registries,
            way,
            edited,
            captured,
            check_finite,
            tracking: None,
            ledger,
            activations: Activations::new(captures, n_segments),
            work: Work::default(),
        }
    }

    /// Whether block `layer` is left out for a segment.
    pub fn skips(&self, layer: usize, segment: usize) -> bool {
        self.registries.skips(layer, segment)
    }

    /// Keeps what gradients with respect to the captured sites need.
    ///
    /// # Errors
    /// [`Error::ForkAndNorm`] if one of them goes round another.
    pub fn track(&mut self) -> Result<()> {
        for layer in 0..self.config.n_layers {
            check_forks(layer, |site| self.wants(site))?;
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
    pub fn edits_for(&self, sites: &[Site], segment: usize) -> bool {
        let has_hook = |site| self.registries.of(segment).any(|own| has_hook(own, site));
        sites.iter().any(|&site| self.edits(site) && (self.tracks() || has_hook(site)))
    }

    /// Whether the model must show what is at `site`.
    pub fn wants(&self, site: Site) -> bool {
        self.edited.contains(site) || self.captured.contains(site) || self.way.until == Some(site)
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
    ) -> Result<Tensor, Halt> {
        if !self.looks_at(site) {
            return Ok(state);
        }
        let mut groups = Vec::with_capacity(segments.groups.len());
        for group in &segments.groups {
            groups.push(self.pass(site, group, group.stacked(&state)?)?);
        }
        let state = if self.edits(site) { segment::flatten(groups)? } else { state };
        let state = self.keep_track(site, state, &segments.groups)?;
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
    ) -> Result<Tensor, Halt> {
        let group = &segments.groups[number];
        let state = self.pass(site, group, state)?;
        let state = self.keep_track(site, state, std::slice::from_ref(group))?;
        if number + 1 < segments.groups.len() {
            return Ok(state);
        }
        self.go_on_after(site, state)
    }

    fn go_on_after(&self, site: Site, state: Tensor) -> Result<Tensor, Halt> {
        if self.way.until == Some(site) {
            return Err(Halt::Stopped);
        }
        Ok(state)
    }

    fn keep_track(&mut self, site: Site, state: Tensor, groups: &[SegmentGroup]) -> Result<Tensor> {
        match &mut self.tracking {
            Some(tracking) if self.captured.contains(site) => tracking.keep(site, state, groups),
            _ => Ok(state),
        }
    }

    /// Lets the hooks due at `site` edit the tensor of one group, and captures it.
    fn pass(&mut self, site: Site, group: &SegmentGroup, mut state: Tensor) -> Result<Tensor> {
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
    /// [`Error::HookNeverFired`].
    pub fn finish(self) -> Result<(Ledger, Activations, Work)> {
        self.ledger.check()?;
        Ok(self.close())
    }

    /// Closes the books, whether hooks fired or not.
    pub fn close(self) -> (Ledger, Activations, Work) {
        (self.ledger, self.activations, self.work)
    }

    /// The gradients of `scalar` with respect to the captured sites; zero where it does not depend on
    /// one.
    pub fn gradients(&mut self, scalar: &Tensor, n_sequences: usize) -> Result<Activations> {
        self.tracking.take().unwrap_or_default().gradients(scalar, n_sequences)
    }

    /// Lets the registries of a group's segments edit its tensor.
    fn edit(&mut self, site: Site, group: &SegmentGroup, state: Tensor) -> Result<Tensor> {
        let Registries { shared, each } = self.registries;
        let state = self.apply(shared, None, site, group, state)?;
        let own = |id: usize| each.and_then(|each| each.get(id)).copied();
        let has_own = |id: usize| own(id).is_some_and(|registry| has_hook(registry, site));
        if !group.ids().any(has_own) {
            return Ok(state);
        }
        // Each segment by itself and all of them joined once: an edit in place of a row would copy
        // the whole group for every registry.
        let mut rows = Vec::with_capacity(group.segments.len());
        for (member, id) in group.ids().enumerate() {
            let row = state.f_narrow(0, member as i64, 1)?;
            rows.push(match own(id) {
                Some(own) => self.apply(own, Some(id), site, &group.alone(member), row)?,
                None => row,
            });
        }
        Ok(Tensor::f_cat(&rows, 0)?)
    }

    /// Lets the hooks that a registry has at `site` edit the tensor of a group.
    fn apply(
        &mut self,
        registry: &dyn HookRegistry,
        sequence: Option<usize>,
        site: Site,
        group: &SegmentGroup,
        mut state: Tensor,
    ) -> Result<Tensor> {
        for (index, hook) in hooks_in(registry, site.layer()).iter().enumerate() {
            if hook.site() != site {
                continue;
            }
            let Some(chosen) = hook.selected().within(self.config, group)? else { continue };
            let part = chosen.part(site);
            let mut book = |elements, change_l2| {
                self.ledger.book(sequence, site.layer(), index, elements, change_l2);
            };
            state = if chosen.indices.iter().all(Option::is_none) {
                fire(hook, sequence, &state, &part, &mut book)?
            } else {
                let indices = outer_indices(&chosen.indices, &state)?;
                let selected = state.f_index(&indices)?;
                let edited = fire(hook, sequence, &selected, &part, &mut book)?;
                state.f_index_put(&indices, &edited, false)?
            };
        }
        Ok(state)
    }
}

/// Lets one hook edit what it selects; `sequence` is that of its registry, if each has its own.
fn fire(
    hook: &Hook,
    sequence: Option<usize>,
    selected: &Tensor,
    part: &Part<'_>,
    book: &mut impl FnMut(usize, f64),
) -> Result<Tensor> {
    let failed = |source| Error::EditFailed {
        hook: format!("{:?}", hook.edit()),
        site: hook.site().to_string(),
        sequence,
        source: Box::new(source),
    };
    let edited = hook.edit().apply(selected, part).map_err(failed)?;
    let (given, returned) = (TensorForm::of(selected)?, TensorForm::of(&edited)?);
    if given != returned {
        return Err(Error::EditResult {
            hook: format!("{:?}", hook.edit()),
            site: hook.site().to_string(),
            sequence,
            given: given.to_string(),
            returned: returned.to_string(),
        });
    }
    let mut change = edited.f_sub(selected)?;
    if is_scores(hook.site()) {
        // Where the causal mask holds, negative infinity minus itself is no change.
        change = change.f_nan_to_num(0.0, f64::INFINITY, f64::NEG_INFINITY)?;
    }
    let change_l2 = change.f_norm_scalaropt_dtype(2, Kind::Double)?.f_double_value(&[])?;
    book(selected.numel(), change_l2);
    Ok(edited)
}

/// Names the first element of a group's tensor that is NaN or infinite.
fn check_finite(site: Site, group: &SegmentGroup, state: &Tensor) -> Result<()> {
    if is_scores(site) {
        // Where the causal mask holds, negative infinity is as it should be.
        return Ok(());
    }
    let bad = state.f_isfinite()?.f_logical_not()?.f_nonzero()?;
    if bad.size()[0] == 0 {
        return Ok(());
    }
    let index = |axis| -> Result<usize> { Ok(bad.f_int64_value(&[0, axis])? as usize) };
    let row = if site.axes() == Axes::Attention { index(2)? } else { index(1)? };
    let (sequence, position) = (group.segments[index(0)?].sequence, group.span.start + row);
    Err(Error::NonFiniteAt { site: site.to_string(), sequence, position })
}

fn is_scores(site: Site) -> bool {
    site.layer().map(Site::attn_scores) == Some(site)
}

/// Index tensors that select the outer product of `indices`, up to the last axis that is narrowed.
fn outer_indices(indices: &[Option<Vec<usize>>], state: &Tensor) -> Result<Vec<Option<Tensor>>> {
    let narrowed = indices.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
    let size = state.size();
    (0..narrowed)
        .map(|axis| {
            let along: Vec<i64> = match &indices[axis] {
                Some(chosen) => chosen.iter().map(|&index| index as i64).collect(),
                None => (0..size[axis]).collect(),
            };
            let mut shape = vec![1; narrowed];
            shape[axis] = along.len() as i64;
            let along = Tensor::f_from_slice(&along)?.f_to_device(state.device())?;
            Ok(Some(along.f_view(&shape[..])?))
        })
        .collect()
}
