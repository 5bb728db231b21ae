//! The general registry.

use std::collections::BTreeMap;

use super::Scale;
use crate::error::Result;
use crate::hook::{At, Hook, HookRegistry};

/// Any hooks at any sites. Those at one site apply in the order in which they were added.
///
/// ```
/// # use hooked_gpt2::{hook::{At, Positions}, intervention::Interventions};
/// let mut interventions = Interventions::new();
/// interventions.scale(At::attn_out(3), 0.0)?;
/// interventions.scale(At::z(7).heads([2]).positions(Positions::last()), 2.0)?;
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Interventions {
    layers: BTreeMap<usize, Vec<Hook>>,
    outside_blocks: Vec<Hook>,
}

impl Interventions {
    /// No interventions yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds scaling of what `at` selects by `factor`.
    ///
    /// # Errors
    /// [`NotFinite`](crate::Error::NotFinite) for NaN or an infinity. Whether the model and the
    /// input have what is selected is checked by each run.
    pub fn scale<Class>(&mut self, at: At<Class>, factor: f64) -> Result<&mut Self> {
        Ok(self.add(Hook::new(at, Scale::new(factor)?)))
    }

    /// Adds a hook, after those that its site already has.
    pub fn add(&mut self, hook: Hook) -> &mut Self {
        let hooks = match hook.site().layer() {
            Some(layer) => self.layers.entry(layer).or_default(),
            None => &mut self.outside_blocks,
        };
        let after = hooks.partition_point(|earlier| earlier.site() <= hook.site());
        hooks.insert(after, hook);
        self
    }
}

impl HookRegistry for Interventions {
    fn hooks(&self, layer: usize) -> &[Hook] {
        self.layers.get(&layer).map_or(&[], Vec::as_slice)
    }

    fn hooks_outside_blocks(&self) -> &[Hook] {
        &self.outside_blocks
    }

    fn layers(&self) -> Vec<usize> {
        self.layers.keys().copied().collect()
    }
}
