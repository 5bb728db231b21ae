//! What a hook does, and where.

use std::fmt;

use tch::Tensor;

use super::{Positions, Site};
use crate::error::Result;

/// A change of a tensor, as a value.
///
/// Implementations get the selected part of a site's tensor, `[batch, pos, …]`, and return its
/// replacement: of the same shape, kind and device, and in memory of its own. Their `Debug` form
/// names the hook in errors and in the [`Ledger`](super::Ledger).
pub trait Edit: fmt::Debug + Send {
    /// The replacement of `selected`.
    ///
    /// # Shapes
    /// - selected: `[batch, pos, d_model]`, narrowed to the hook's positions
    ///
    /// # Errors
    /// Whatever the edit cannot do; the run fails with it.
    fn apply(&self, selected: &Tensor) -> Result<Tensor>;
}

/// An edit at a site, at some positions.
#[derive(Debug)]
pub struct Hook {
    site: Site,
    positions: Positions,
    edit: Box<dyn Edit>,
}

impl Hook {
    /// Puts `edit` at `positions` of `site`.
    pub fn new(site: Site, positions: Positions, edit: impl Edit + 'static) -> Self {
        Self { site, positions, edit: Box::new(edit) }
    }

    /// Where the hook stands.
    pub fn site(&self) -> Site {
        self.site
    }

    /// The positions that it edits.
    pub fn positions(&self) -> &Positions {
        &self.positions
    }

    /// What it does there.
    pub fn edit(&self) -> &dyn Edit {
        &*self.edit
    }
}
