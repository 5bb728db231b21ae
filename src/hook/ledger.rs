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
    /// The sequence whose registry it is from; `None` if all share one.
    pub sequence: Option<usize>,
    /// How often it fired: once for each group of sequences of equal length.
    pub fired: usize,
    /// How many elements it was given.
    pub elements: usize,
    /// The L2 norm of all that it changed; exactly 0 if it changed nothing.
    pub change_l2: f64,
    /// The layer under which the registry answers the hook; `None` outside the blocks.
    layer: Option<usize>,
}

/// The accounts of all hooks of a run: registry by registry, in execution order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ledger {
    entries: Vec<LedgerEntry>,
    /// The first account of each registry's layers; those outside the blocks come last.
    first: Vec<Vec<usize>>,
}

impl Ledger {
    /// One entry per hook: registry by registry, in execution order.
    pub fn entries(&self) -> &[LedgerEntry] {
        &self.entries
    }

    /// Whether any hook changed anything at its site.
    pub fn changed(&self) -> bool {
        self.entries.iter().any(|entry| entry.change_l2 != 0.0)
    }

    /// Opens accounts for the hooks that a registry answers for `layer`. Registries come one after the
    /// other, their layers in order, `None` last.
    pub(super) fn open(&mut self, sequence: Option<usize>, layer: Option<usize>, hooks: &[Hook]) {
        let registry = number(sequence);
        if self.first.len() <= registry {
            self.first.resize_with(registry + 1, Vec::new);
        }
        self.first[registry].push(self.entries.len());
        self.entries.extend(hooks.iter().map(|hook| LedgerEntry {
            hook: format!("{:?}", hook.edit()),
            site: hook.site(),
            sequence,
            fired: 0,
            elements: 0,
            change_l2: 0.0,
            layer,
        }));
    }

    /// Books one firing of the `index`-th hook of `layer`.
    pub(super) fn book(
        &mut self,
        sequence: Option<usize>,
        layer: Option<usize>,
        index: usize,
        elements: usize,
        change_l2: f64,
    ) {
        // A registry of somebody else's may answer otherwise than it did when accounts were opened.
        let layers = self.first.get(number(sequence)).map_or(&[][..], Vec::as_slice);
        let first = layer.map_or_else(|| layers.last(), |layer| layers.get(layer));
        if let Some(entry) = first.and_then(|first| self.entries.get_mut(first + index)) {
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

/// The number of a registry: the shared one comes first.
fn number(sequence: Option<usize>) -> usize {
    sequence.map_or(0, |sequence| sequence + 1)
}
