//! The dictionary `layer -> factor`.

use std::collections::BTreeMap;

use super::Scale;
use crate::error::Result;
use crate::hook::{At, Hook, HookRegistry};

/// Scales the residual stream leaving each of some layers, at every position.
///
/// Change it freely between runs.
///
/// ```
/// # use hooked_gpt2::intervention::LayerScaling;
/// let mut scaling = LayerScaling::new();
/// scaling.insert(2, 0.6)?;
/// scaling.insert(5, 1.5)?;
/// scaling.remove(2);
/// assert_eq!(scaling.iter().collect::<Vec<_>>(), [(5, 1.5)]);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct LayerScaling {
    layers: BTreeMap<usize, (Scale, Hook)>,
}

impl LayerScaling {
    /// The empty dictionary.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the factor of `layer` and returns the one that it had.
    ///
    /// # Errors
    /// [`NotFinite`](crate::error::InterventionError::NotFinite) for NaN or an infinity. Whether the model has the
    /// layer is checked by each run.
    pub fn insert(&mut self, layer: usize, factor: f64) -> Result<Option<f64>> {
        let scale = Scale::new(factor)?;
        let hook = Hook::new(At::resid_post(layer), scale);
        Ok(self.layers.insert(layer, (scale, hook)).map(|(before, _)| before.factor()))
    }

    /// Leaves `layer` alone again and returns the factor that it had.
    pub fn remove(&mut self, layer: usize) -> Option<f64> {
        self.layers.remove(&layer).map(|(before, _)| before.factor())
    }

    /// Leaves every layer alone again.
    pub fn clear(&mut self) {
        self.layers.clear();
    }

    /// Layers and their factors, by layer.
    pub fn iter(&self) -> impl Iterator<Item = (usize, f64)> {
        self.layers.iter().map(|(&layer, (scale, _))| (layer, scale.factor()))
    }
}

impl HookRegistry for LayerScaling {
    fn hooks(&self, layer: usize) -> &[Hook] {
        self.layers.get(&layer).map_or(&[], |(_, hook)| std::slice::from_ref(hook))
    }

    fn layers(&self) -> Vec<usize> {
        self.layers.keys().copied().collect()
    }
}
