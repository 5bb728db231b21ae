//! What every hook of a run really did.

use super::{Hook, Site};
use crate::error::{Error, Result};

/// The account of one hook.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LedgerEntry {
    /// The edit, as its `Debug` form prints it.
    pub hook: String,
    /// Where it stood.
    pub site: Site,
    /// How often it fired: once for each group of sequences of equal length.
    pub fired: usize,
    /// How many elements it was given.
    pub elements: usize,
    /// The L2 norm of all that it changed; exactly 0 if it changed nothing.
    pub change_l2: f64,
    /// The layer under which the registry answers the hook; `None` outside the blocks.
    layer: Option<usize>,
}

/// The accounts of all hooks of a run, in execution order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ledger {
    entries: Vec<LedgerEntry>,
}

impl Ledger {
    /// One entry per hook, in execution order.
    pub fn entries(&self) -> &[LedgerEntry] {
        &self.entries
    }

    /// Opens accounts for the hooks that a registry answers for `layer`.
    pub(super) fn open(&mut self, layer: Option<usize>, hooks: &[Hook]) {
        self.entries.extend(hooks.iter().map(|hook| LedgerEntry {
            hook: format!("{:?}", hook.edit()),
            site: hook.site(),
            fired: 0,
            elements: 0,
            change_l2: 0.0,
            layer,
        }));
    }

    /// Books one firing of the `index`-th hook of `layer`.
    pub(super) fn book(
        &mut self,
        layer: Option<usize>,
        index: usize,
        elements: usize,
        change_l2: f64,
    ) {
        let mut of_layer = self.entries.iter_mut().filter(|entry| entry.layer == layer);
        if let Some(entry) = of_layer.nth(index) {
            entry.fired += 1;
            entry.elements += elements;
            entry.change_l2 = entry.change_l2.hypot(change_l2);
        }
    }

    /// Fails if a hook never fired.
    pub(super) fn check(&self) -> Result<()> {
        match self.entries.iter().find(|entry| entry.fired == 0) {
            None => Ok(()),
            Some(entry) => Err(Error::HookNeverFired {
                hook: entry.hook.clone(),
                site: entry.site.to_string(),
                registered: entry
                    .layer
                    .map_or("outside the blocks".to_owned(), |layer| format!("for layer {layer}")),
            }),
        }
    }
}
