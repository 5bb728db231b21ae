//! Where a segment may begin or fork off: between blocks.

use crate::site::{Region, Site};

/// A point between the parts of the model, where segments begin or fork off from their bases.
///
/// The embedding comes first; then, for each block, its beginning; then what follows the last block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stage(usize);

impl Stage {
    /// Before anything.
    pub const EMBEDDING: Self = Self(0);

    /// The beginning of block `layer`; of one more than the last, what follows it.
    pub const fn entering(layer: usize) -> Self {
        Self(layer.saturating_add(1))
    }

    /// The block that begins there; `None` for the embedding.
    pub fn block(self) -> Option<usize> {
        self.0.checked_sub(1)
    }

    /// The last stage at which a segment can fork off and still pass `site` by itself. What first differs
    /// at `resid_post` need not go through the block by itself.
    pub fn before(site: Site, n_layers: usize) -> Self {
        match site.region() {
            Region::Block(layer) if site.leaves_block() => Self::entering(layer.saturating_add(1)),
            Region::Block(layer) => Self::entering(layer),
            Region::OutsideBlocks if site < Site::resid_pre(0) => Self::EMBEDDING,
            Region::OutsideBlocks => Self::entering(n_layers),
        }
    }
}
