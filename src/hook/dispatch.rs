//! Fires the hooks of one run and keeps what was asked for.

use std::collections::BTreeSet;

use tch::{Kind, Tensor};

use super::positions::index_tensor;
use super::{Activations, Hook, HookRegistry, Ledger, Site};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::segment::{SegmentGroup, Segments};

/// The state of one run's hooks: the model shows it every site that it passes.
pub(crate) struct Dispatcher<'a> {
    registry: &'a dyn HookRegistry,
    segments: &'a Segments,
    to_capture: &'a BTreeSet<Site>,
    ledger: Ledger,
    activations: Activations,
}

impl<'a> Dispatcher<'a> {
    /// Checks hooks and captures against model and input, before anything is computed.
    pub fn new(
        config: &Config,
        segments: &'a Segments,
        registry: &'a dyn HookRegistry,
        to_capture: &'a BTreeSet<Site>,
    ) -> Result<Self> {
        for layer in registry.layers() {
            config.check_layer(layer)?;
        }
        for site in to_capture {
            config.check_layer(site.layer())?;
        }
        let mut ledger = Ledger::default();
        for layer in 0..config.n_layers {
            let hooks = registry.hooks(layer);
            for hook in hooks {
                for group in &segments.groups {
                    hook.positions().indices(group.len, group.sequences[0])?;
                }
            }
            ledger.open(layer, hooks);
        }
        let activations = Activations::new(segments.clone());
        Ok(Self { registry, segments, to_capture, ledger, activations })
    }

    /// Passes the flat `[rows, …]` state of `site` through the hooks due there.
    pub fn visit(&mut self, site: Site, mut state: Tensor) -> Result<Tensor> {
        for (index, hook) in self.registry.hooks(site.layer()).iter().enumerate() {
            if hook.site() == site {
                state = self.fire(index, hook, state)?;
            }
        }
        if self.to_capture.contains(&site) {
            // Nothing in a forward pass writes in place, so sharing the memory is safe.
            self.activations.insert(site, state.shallow_clone());
        }
        Ok(state)
    }

    /// Closes the books.
    pub fn finish(self) -> Result<(Ledger, Activations)> {
        self.ledger.check()?;
        Ok((self.ledger, self.activations))
    }

    fn fire(&mut self, index: usize, hook: &Hook, state: Tensor) -> Result<Tensor> {
        let whole = hook.positions().is_all();
        if let ([group], true) = (&self.segments.groups[..], whole) {
            let edited = self.edit(index, hook, &group.stacked(&state)?)?;
            return Ok(edited.f_reshape(state.size())?);
        }
        let changed = state.f_clone(&state)?;
        for group in &self.segments.groups {
            self.fire_on_group(index, hook, group, &changed)?;
        }
        Ok(changed)
    }

    /// Edits the selected positions of one group, in place.
    fn fire_on_group(
        &mut self,
        index: usize,
        hook: &Hook,
        group: &SegmentGroup,
        state: &Tensor,
    ) -> Result<()> {
        let mut stacked = group.stacked(state)?;
        let positions = hook.positions().indices(group.len, group.sequences[0])?;
        let positions = index_tensor(positions, state)?;
        let selected = stacked.f_index_select(1, &positions)?;
        let edited = self.edit(index, hook, &selected)?;
        // Writes through the view into `state`; the result is the view again.
        let _ = stacked.f_index_copy_(1, &positions, &edited)?;
        Ok(())
    }

    fn edit(&mut self, index: usize, hook: &Hook, selected: &Tensor) -> Result<Tensor> {
        let edited = hook.edit().apply(selected)?;
        if !alike(&edited, selected)? {
            return Err(Error::EditResult {
                hook: format!("{:?}", hook.edit()),
                site: hook.site().to_string(),
                given: describe(selected)?,
                returned: describe(&edited)?,
            });
        }
        let change = edited.f_sub(selected)?.f_norm_scalaropt_dtype(2, Kind::Double)?;
        let change_l2 = change.f_double_value(&[])?;
        self.ledger.book(hook.site().layer(), index, selected.numel(), change_l2);
        Ok(edited)
    }
}

fn alike(a: &Tensor, b: &Tensor) -> Result<bool> {
    Ok(a.size() == b.size() && a.f_kind()? == b.f_kind()? && a.device() == b.device())
}

fn describe(tensor: &Tensor) -> Result<String> {
    Ok(format!("{:?} {:?} on {:?}", tensor.size(), tensor.f_kind()?, tensor.device()))
}
