//! Fires the hooks of one run and keeps what was asked for.

use std::collections::BTreeSet;

use tch::{Device, Kind, Tensor};

use super::{Activations, Axes, Hook, HookRegistry, Ledger, Part, Site, TensorForm};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::segment::{self, SegmentGroup, Segments};

/// The state of one run's hooks: the model shows it every site that it passes.
///
/// A site that is only captured never changes how the model computes: captures are taken on the
/// side, and edits alone lead the run off its fused path. Not so where gradients are asked for: then
/// the logits must depend on what is captured.
pub(crate) struct Dispatcher<'a> {
    config: &'a Config,
    segments: &'a Segments,
    registry: &'a dyn HookRegistry,
    edited: SiteSet,
    captured: SiteSet,
    check_finite: bool,
    /// The captured tensors as the logits depend on them, if gradients are asked for.
    tracked: Option<Vec<(Site, Tensor)>>,
    ledger: Ledger,
    activations: Activations,
}

impl<'a> Dispatcher<'a> {
    /// Checks hooks and captures against model and input, before anything is computed.
    pub fn new(
        config: &'a Config,
        segments: &'a Segments,
        registry: &'a dyn HookRegistry,
        to_capture: &BTreeSet<Site>,
        (kind, device): (Kind, Device),
    ) -> Result<Self> {
        for layer in registry.layers() {
            config.check_layer(layer)?;
        }
        let mut captured = SiteSet::new(config.n_layers);
        for &site in to_capture {
            site.check(config)?;
            captured.insert(site);
        }
        let skipped = |site: Site| {
            site.layer().is_some_and(|layer| registry.skips(layer)) && !site.is_block_end()
        };
        if let Some(site) = to_capture.iter().find(|&&site| skipped(site)) {
            return Err(Error::InSkippedBlock { site: site.to_string() });
        }
        let mut edited = SiteSet::new(config.n_layers);
        let mut ledger = Ledger::default();
        for layer in (0..config.n_layers).map(Some).chain([None]) {
            let hooks = hooks_in(registry, layer);
            for hook in hooks {
                hook.site().check(config)?;
                if skipped(hook.site()) {
                    return Err(Error::InSkippedBlock { site: hook.site().to_string() });
                }
                hook.selected().check_sequences(segments.n_sequences())?;
                for group in &segments.groups {
                    check_edit(hook, config, group, kind, device)?;
                }
                edited.insert(hook.site());
            }
            ledger.open(layer, hooks);
        }
        for layer in 0..config.n_layers {
            check_forks(layer, |site| edited.contains(site))?;
        }
        let activations = Activations::new(segments.clone());
        Ok(Self {
            config,
            segments,
            registry,
            edited,
            captured,
            check_finite: false,
            tracked: None,
            ledger,
            activations,
        })
    }

    /// Looks for NaN and infinities at every site that is visited.
    pub fn check_finite(&mut self) {
        self.check_finite = true;
    }

    /// Whether block `layer` is left out.
    pub fn skips(&self, layer: usize) -> bool {
        self.registry.skips(layer)
    }

    /// Keeps what gradients with respect to the captured sites need.
    ///
    /// # Errors
    /// [`Error::ForkAndNorm`] if one of them goes round another.
    pub fn track(&mut self) -> Result<()> {
        for layer in 0..self.config.n_layers {
            check_forks(layer, |site| self.wants(site))?;
        }
        self.tracked = Some(Vec::new());
        Ok(())
    }

    /// Whether gradients are asked for.
    pub fn tracks(&self) -> bool {
        self.tracked.is_some()
    }

    /// Whether the model must go on with what leaves `site`, rather than by its fused path.
    pub fn edits(&self, site: Site) -> bool {
        self.edited.contains(site) || (self.tracks() && self.captured.contains(site))
    }

    /// Whether `site` is edited or captured.
    pub fn wants(&self, site: Site) -> bool {
        self.edited.contains(site) || self.captured.contains(site)
    }

    /// Whether a visit to `site` does anything.
    pub fn looks_at(&self, site: Site) -> bool {
        self.wants(site) || self.check_finite
    }

    /// Passes the flat `[rows, …]` state of `site` through the hooks due there.
    pub fn visit(&mut self, site: Site, state: Tensor) -> Result<Tensor> {
        if !self.looks_at(site) {
            return Ok(state);
        }
        let segments = self.segments;
        let mut groups = Vec::with_capacity(segments.groups.len());
        for (number, group) in segments.groups.iter().enumerate() {
            groups.push(self.pass(site, number, group.stacked(&state)?)?);
        }
        let state = if self.edits(site) { segment::flatten(groups)? } else { state };
        self.keep_track(site, state)
    }

    /// Passes the `[batch, …]` tensor of one group through the hooks due at `site`. Groups are to be
    /// visited in their order.
    pub fn visit_group(&mut self, site: Site, group: usize, state: Tensor) -> Result<Tensor> {
        let state = self.pass(site, group, state)?;
        self.keep_track(site, state)
    }

    fn keep_track(&mut self, site: Site, mut state: Tensor) -> Result<Tensor> {
        if let Some(tracked) = &mut self.tracked
            && self.captured.contains(site)
        {
            if !state.requires_grad() {
                // A constant took its place: the logits depend on that from here on.
                state = state.f_detach()?.f_set_requires_grad(true)?;
            }
            tracked.push((site, state.shallow_clone()));
        }
        Ok(state)
    }

    /// Lets the hooks due at `site` edit the tensor of one group, and captures it.
    fn pass(&mut self, site: Site, group: usize, mut state: Tensor) -> Result<Tensor> {
        if self.edits(site) {
            for (index, hook) in hooks_in(self.registry, site.layer()).iter().enumerate() {
                if hook.site() == site {
                    state = self.fire(index, hook, group, state)?;
                }
            }
        }
        if self.check_finite {
            check_finite(site, &self.segments.groups[group], &state)?;
        }
        if self.captured.contains(site) {
            // Nothing in a forward pass writes in place, so sharing the memory is safe.
            self.activations.push(site, state.f_detach()?);
        }
        Ok(state)
    }

    /// Closes the books.
    pub fn finish(self) -> Result<(Ledger, Activations)> {
        self.ledger.check()?;
        Ok((self.ledger, self.activations))
    }

    /// The gradients of `scalar` with respect to the captured sites; zero where it does not depend on
    /// one.
    pub fn gradients(&mut self, scalar: &Tensor) -> Result<Activations> {
        let mut gradients = Activations::new(self.segments.clone());
        let tracked = self.tracked.take().unwrap_or_default();
        let states: Vec<&Tensor> = tracked.iter().map(|(_, state)| state).collect();
        // libtorch crashes on a scalar that depends on nothing.
        let found = if scalar.requires_grad() && !states.is_empty() {
            Tensor::f_run_backward(&[scalar], &states, false, false)?
        } else {
            states.iter().map(|state| state.f_zeros_like()).collect::<Result<_, _>>()?
        };
        for ((site, state), gradient) in tracked.iter().zip(found) {
            let gradient = if gradient.defined() { gradient } else { state.f_zeros_like()? };
            if site.axes() == Axes::Attention {
                gradients.push(*site, gradient);
            } else {
                for group in &self.segments.groups {
                    gradients.push(*site, group.stacked(&gradient)?);
                }
            }
        }
        Ok(gradients)
    }

    /// Lets one hook edit its part of a group's tensor.
    fn fire(&mut self, index: usize, hook: &Hook, group: usize, state: Tensor) -> Result<Tensor> {
        let group = &self.segments.groups[group];
        let Some(chosen) = hook.selected().within(self.config, group)? else {
            return Ok(state);
        };
        let part = chosen.part(hook.site());
        if chosen.indices.iter().all(Option::is_none) {
            return self.edit(index, hook, &state, &part);
        }
        let indices = outer_indices(&chosen.indices, &state)?;
        let edited = self.edit(index, hook, &state.f_index(&indices)?, &part)?;
        Ok(state.f_index_put(&indices, &edited, false)?)
    }

    fn edit(
        &mut self,
        index: usize,
        hook: &Hook,
        selected: &Tensor,
        part: &Part<'_>,
    ) -> Result<Tensor> {
        let failed = |source| Error::EditFailed {
            hook: format!("{:?}", hook.edit()),
            site: hook.site().to_string(),
            source: Box::new(source),
        };
        let edited = hook.edit().apply(selected, part).map_err(failed)?;
        let (given, returned) = (TensorForm::of(selected)?, TensorForm::of(&edited)?);
        if given != returned {
            return Err(Error::EditResult {
                hook: format!("{:?}", hook.edit()),
                site: hook.site().to_string(),
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
        self.ledger.book(hook.site().layer(), index, selected.numel(), change_l2);
        Ok(edited)
    }
}

fn hooks_in(registry: &dyn HookRegistry, layer: Option<usize>) -> &[Hook] {
    layer.map_or_else(|| registry.hooks_outside_blocks(), |layer| registry.hooks(layer))
}

/// Checks a selection and its edit against the sequences of one group.
fn check_edit(
    hook: &Hook,
    config: &Config,
    group: &SegmentGroup,
    kind: Kind,
    device: Device,
) -> Result<()> {
    let Some(chosen) = hook.selected().within(config, group)? else { return Ok(()) };
    let part = chosen.part(hook.site());
    hook.edit().check(&TensorForm { size: part.size(), kind, device }, &part)
}

/// An edited fork has a layer norm of its own; an edit of the block's layer norm would not reach
/// what reads the fork, and that must not pass in silence.
fn check_forks(layer: usize, edited: impl Fn(Site) -> bool) -> Result<()> {
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
    let position = if site.axes() == Axes::Attention { index(2)? } else { index(1)? };
    let sequence = group.sequences[index(0)?];
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

/// Sites as bits, so that asking at every site of every block costs nothing.
struct SiteSet {
    /// One word per layer, and a last one for the sites outside the blocks.
    words: Vec<u32>,
}

impl SiteSet {
    fn new(n_layers: usize) -> Self {
        Self { words: vec![0; n_layers + 1] }
    }

    fn insert(&mut self, site: Site) {
        let word = self.word_of(site);
        self.words[word] |= 1 << site.number_in_layer();
    }

    fn contains(&self, site: Site) -> bool {
        self.words[self.word_of(site)] & (1 << site.number_in_layer()) != 0
    }

    fn word_of(&self, site: Site) -> usize {
        site.layer().unwrap_or(self.words.len() - 1)
    }
}
