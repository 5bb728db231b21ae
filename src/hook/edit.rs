//! What a hook does, and where.

use std::fmt;

use tch::Tensor;

use super::Site;
use super::at::{At, Selected};
use crate::error::Result;

/// A change of a tensor, as a value.
///
/// Implementations get the selected part of a site's tensor, all its axes in their places, and return
/// its replacement: of the same shape, kind and device, and in memory of its own. Their `Debug` form
/// names the hook in errors and in the [`Ledger`](super::Ledger).
pub trait Edit: fmt::Debug + Send {
    /// The replacement of `selected`.
    ///
    /// # Shapes
    /// - selected: the [axes](super::Axes) of the site, narrowed to what the hook selects
    ///
    /// # Errors
    /// Whatever the edit cannot do; the run fails with it.
    fn apply(&self, selected: &Tensor) -> Result<Tensor>;
}

/// An edit of a part of a site's tensor.
#[derive(Debug)]
pub struct Hook {
    selected: Selected,
    edit: Box<dyn Edit>,
}

impl Hook {
    /// Puts `edit` at a site, or at the part of it that `at` selects.
    pub fn new<Class>(at: At<Class>, edit: impl Edit + 'static) -> Self {
        Self { selected: at.into_selected(), edit: Box::new(edit) }
    }

    /// Where the hook stands.
    pub fn site(&self) -> Site {
        self.selected.site
    }

    /// What it does there.
    pub fn edit(&self) -> &dyn Edit {
        &*self.edit
    }

    pub(super) fn selected(&self) -> &Selected {
        &self.selected
    }
}
