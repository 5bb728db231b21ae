//! Which hooks are due in which block.

use super::{Hook, Site};

/// Hooks keyed by layer index.
///
/// A run borrows a registry and changes nothing in it; edit it freely between runs, there is
/// nothing to register again.
///
/// ```
/// # use hooked_gpt2::hook::{Hook, HookRegistry};
/// /// The same hooks, under a name that ends up in a lab book.
/// struct Named<R> { name: String, hooks: R }
///
/// impl<R: HookRegistry> HookRegistry for Named<R> {
///     fn hooks(&self, layer: usize) -> &[Hook] { self.hooks.hooks(layer) }
///     fn hooks_outside_blocks(&self) -> &[Hook] { self.hooks.hooks_outside_blocks() }
///     fn skips(&self, layer: usize) -> bool { self.hooks.skips(layer) }
///     fn layers(&self) -> Vec<usize> { self.hooks.layers() }
/// }
/// ```
pub trait HookRegistry {
    /// The hooks due in block `layer`: in execution order of their sites, those of one site in the
    /// order in which they apply. Empty where there is nothing to do, which costs one branch.
    fn hooks(&self, layer: usize) -> &[Hook];

    /// The hooks due outside the blocks, in the same order.
    fn hooks_outside_blocks(&self) -> &[Hook] {
        &[]
    }

    /// Whether block `layer` is left out: its residual stream passes unchanged and nothing in it is
    /// computed.
    fn skips(&self, _layer: usize) -> bool {
        false
    }

    /// The layers that have hooks or are skipped. A run checks them against the model, so that a layer that does
    /// not exist is an error rather than nothing.
    fn layers(&self) -> Vec<usize>;
}

/// The empty registry: a plain forward pass.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHooks;

impl HookRegistry for NoHooks {
    fn hooks(&self, _layer: usize) -> &[Hook] {
        &[]
    }

    fn layers(&self) -> Vec<usize> {
        Vec::new()
    }
}

/// The registries of one run.
#[derive(Clone, Copy)]
pub(crate) struct Registries<'a> {
    /// Acts on all segments, before their own.
    pub shared: &'a dyn HookRegistry,
    /// One for each segment, to which it is the only one.
    pub each: Option<&'a [&'a dyn HookRegistry]>,
}

impl<'a> Registries<'a> {
    /// No hooks.
    pub const NONE: Self = Self { shared: &NoHooks, each: None };

    /// The registries, and the segment to which each belongs if it is not shared.
    pub fn iter(self) -> impl Iterator<Item = (Option<usize>, &'a dyn HookRegistry)> {
        let each = self.each.unwrap_or_default().iter();
        let each = each.enumerate().map(|(segment, &registry)| (Some(segment), registry));
        std::iter::once((None, self.shared)).chain(each)
    }

    /// The registries that act on one segment.
    pub fn of(self, segment: usize) -> impl Iterator<Item = &'a dyn HookRegistry> {
        let own = self.each.and_then(|each| each.get(segment)).copied();
        std::iter::once(self.shared).chain(own)
    }

    /// Whether block `layer` is left out for a segment.
    pub fn skips(self, layer: usize, segment: usize) -> bool {
        self.of(segment).any(|registry| registry.skips(layer))
    }
}

/// The hooks due in a block, or outside the blocks.
pub(crate) fn hooks_in(registry: &dyn HookRegistry, layer: Option<usize>) -> &[Hook] {
    layer.map_or_else(|| registry.hooks_outside_blocks(), |layer| registry.hooks(layer))
}

/// Whether a registry has a hook at `site`.
pub(super) fn has_hook(registry: &dyn HookRegistry, site: Site) -> bool {
    hooks_in(registry, site.layer()).iter().any(|hook| hook.site() == site)
}
