//! The general registry.

use std::collections::BTreeMap;

use super::Scale;
use crate::error::Result;
use crate::hook::{Hook, HookRegistry, Positions, Site};

/// Any hooks at any sites. Those at one site apply in the order in which they were added.
///
/// ```
/// # use hooked_gpt2::{hook::{Positions, Site}, intervention::Interventions};
/// let mut interventions = Interventions::new();
/// interventions.scale(Site::attn_out(3), Positions::all(), 0.0)?;
/// interventions.scale(Site::mlp_out(7), Positions::last(), 2.0)?;
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Interventions {
    layers: BTreeMap<usize, Vec<Hook>>,
}

impl Interventions {
    /// No interventions yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds scaling of `positions` of `site` by `factor`.
    ///
    /// # Errors
    /// [`NotFinite`](crate::Error::NotFinite) for NaN or an infinity. Whether the model has the
    /// layer, and the input the positions, is checked by each run.
    pub fn scale(&mut self, site: Site, positions: Positions, factor: f64) -> Result<&mut Self> {
        Ok(self.add(Hook::new(site, positions, Scale::new(factor)?)))
    }

    /// Adds a hook, after those that its site already has.
    pub fn add(&mut self, hook: Hook) -> &mut Self {
        let hooks = self.layers.entry(hook.site().layer()).or_default();
        let after = hooks.partition_point(|earlier| earlier.site() <= hook.site());
        hooks.insert(after, hook);
        self
    }
}

impl HookRegistry for Interventions {
    fn hooks(&self, layer: usize) -> &[Hook] {
        self.layers.get(&layer).map_or(&[], Vec::as_slice)
    }

    fn layers(&self) -> Vec<usize> {
        self.layers.keys().copied().collect()
    }
}
