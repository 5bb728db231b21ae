//! Which hooks are due in which block.

use super::Hook;

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
pub trait HookRegistry: Send + Sync {
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
