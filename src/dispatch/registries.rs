//! The registries of one run.

use crate::hook::{Hook, HookRegistry, NoHooks};
use crate::layout::SegmentId;
use crate::site::{Region, Site};

/// The registries of one run.
#[derive(Clone, Copy)]
pub(crate) struct Registries<'a> {
    /// Acts on all segments, before their own.
    pub shared: &'a dyn HookRegistry,
    /// One for each segment by its number, to which it is the only one.
    pub each: Option<&'a [&'a dyn HookRegistry]>,
}

impl<'a> Registries<'a> {
    /// No hooks.
    pub const NONE: Self = Self { shared: &NoHooks, each: None };

    /// The registries, and the segment to which each belongs if it is not shared.
    pub fn iter(self) -> impl Iterator<Item = (Option<SegmentId>, &'a dyn HookRegistry)> {
        let each = self.each.unwrap_or_default().iter().enumerate();
        let each = each.map(|(number, &registry)| (Some(SegmentId(number)), registry));
        std::iter::once((None, self.shared)).chain(each)
    }

    /// The registry that a segment does not share.
    pub fn own(self, SegmentId(segment): SegmentId) -> Option<&'a dyn HookRegistry> {
        self.each.and_then(|each| each.get(segment)).copied()
    }

    /// The registries that act on one segment.
    pub fn of(self, segment: SegmentId) -> impl Iterator<Item = &'a dyn HookRegistry> {
        std::iter::once(self.shared).chain(self.own(segment))
    }

    /// Whether block `layer` is left out for a segment.
    pub fn skips(self, layer: usize, segment: SegmentId) -> bool {
        self.of(segment).any(|registry| registry.skips(layer))
    }
}

/// The hooks due in a block, or outside the blocks.
pub(crate) fn hooks_in(registry: &dyn HookRegistry, region: Region) -> &[Hook] {
    match region {
        Region::Block(layer) => registry.hooks(layer),
        Region::OutsideBlocks => registry.hooks_outside_blocks(),
    }
}

/// Whether a registry has a hook at `site`.
pub(super) fn has_hook(registry: &dyn HookRegistry, site: Site) -> bool {
    hooks_in(registry, site.region()).iter().any(|hook| hook.site() == site)
}
