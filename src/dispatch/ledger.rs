//! What every hook of a run really did.

use tch::Tensor;

use crate::error::{HookError, Result};
use crate::hook::Hook;
use crate::layout::SegmentId;
use crate::scalar::numbers;
use crate::site::{Region, Site};

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
    /// Under what the registry answers the hook.
    region: Region,
}

/// The accounts of all hooks of a run: registry by registry, in execution order.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: Vec<LedgerEntry>,
    n_layers: usize,
    /// The first account of each registry's regions; the shared registry comes first.
    first: Vec<Vec<usize>>,
    /// The changes of all firings, each with its account: on the device until the run is over, which then
    /// is waited for once.
    changes: Vec<(usize, Tensor)>,
}

impl Ledger {
    pub(super) fn new(n_layers: usize) -> Self {
        Self { n_layers, ..Self::default() }
    }

    /// One entry per hook: registry by registry, in execution order.
    pub fn entries(&self) -> &[LedgerEntry] {
        &self.entries
    }

    /// Whether any hook changed anything at its site.
    pub fn changed(&self) -> bool {
        self.entries.iter().any(|entry| entry.change_l2 != 0.0)
    }

    /// The L2 norm of all that the hooks of one segment's own registry changed.
    pub(crate) fn change_of(&self, owner: SegmentId) -> f64 {
        self.own(owner).iter().fold(0.0, |change: f64, entry| change.hypot(entry.change_l2))
    }

    /// Opens accounts for the hooks that a registry answers for `region`. Registries come one after the
    /// other, their regions in order.
    pub(super) fn open(&mut self, owner: Option<SegmentId>, region: Region, hooks: &[Hook]) {
        let registry = number(owner);
        if self.first.len() <= registry {
            self.first.resize_with(registry + 1, Vec::new);
        }
        self.first[registry].push(self.entries.len());
        self.entries.extend(hooks.iter().map(|hook| LedgerEntry {
            hook: format!("{:?}", hook.edit()),
            site: hook.site(),
            sequence: owner.map(|SegmentId(sequence)| sequence),
            fired: 0,
            elements: 0,
            change_l2: 0.0,
            region,
        }));
    }

    /// Books one firing of the `index`-th hook of `region`, and its change, a tensor of no axes.
    pub(super) fn book(
        &mut self,
        owner: Option<SegmentId>,
        region: Region,
        index: usize,
        elements: usize,
        change: Tensor,
    ) {
        // A registry of somebody else's may answer otherwise than it did when accounts were opened.
        let first = self.first.get(number(owner));
        let first = first.and_then(|regions| regions.get(region.number(self.n_layers)));
        let Some(account) = first.map(|first| first + index) else { return };
        if let Some(entry) = self.entries.get_mut(account) {
            entry.fired += 1;
            entry.elements += elements;
            self.changes.push((account, change));
        }
    }

    /// Adds up what was changed.
    pub(super) fn settle(&mut self) -> Result<()> {
        if self.changes.is_empty() {
            return Ok(());
        }
        let (accounts, changes): (Vec<usize>, Vec<Tensor>) = self.changes.drain(..).unzip();
        let changes = numbers(&Tensor::f_stack(&changes, 0)?)?;
        for (account, change) in accounts.into_iter().zip(changes) {
            let total = &mut self.entries[account].change_l2;
            *total = total.hypot(change);
        }
        Ok(())
    }

    /// Fails if a hook never fired.
    pub(crate) fn check(&self) -> Result<()> {
        all_fired(&self.entries)
    }

    /// Fails if a hook of one segment's own registry never fired.
    pub(crate) fn check_own(&self, owner: SegmentId) -> Result<()> {
        all_fired(self.own(owner))
    }

    /// The accounts of one segment's own registry.
    fn own(&self, owner: SegmentId) -> &[LedgerEntry] {
        let start = |registry: usize| self.first.get(registry).and_then(|regions| regions.first());
        let registry = number(Some(owner));
        let [start, end] = [registry, registry + 1]
            .map(|registry| start(registry).copied().unwrap_or(self.entries.len()));
        &self.entries[start..end]
    }
}

/// Fails if a hook never fired.
fn all_fired(entries: &[LedgerEntry]) -> Result<()> {
    match entries.iter().find(|entry| entry.fired == 0) {
        None => Ok(()),
        Some(entry) => Err(HookError::NeverFired {
            hook: entry.hook.clone(),
            site: entry.site,
            registered: match entry.region {
                Region::Block(layer) => format!("for layer {layer}"),
                Region::OutsideBlocks => "outside the blocks".to_owned(),
            },
        }
        .into()),
    }
}

/// The number of a registry: the shared one comes first.
fn number(owner: Option<SegmentId>) -> usize {
    owner.map_or(0, |SegmentId(segment)| segment + 1)
}
