//! What a hook does, and where.

use std::any::Any;
use std::fmt;

use tch::{Device, Kind, Tensor};

use super::Site;
use super::at::At;
use super::selection::Selected;
use crate::error::Result;

/// A change of a tensor, as a value.
///
/// Implementations get the selected part of a site's tensor, all its axes in their places, and return
/// its replacement: of the same shape, kind and device, and in memory of its own. Their `Debug` form
/// names the hook in errors and in the [`Ledger`](super::Ledger).
pub trait Edit: Any + fmt::Debug + Send {
    /// Checks, before anything is computed, that the edit fits what it will be given.
    ///
    /// # Errors
    /// Whatever does not fit; nothing is run then.
    fn check(&self, _selected: &TensorForm, _part: &Part<'_>) -> Result<()> {
        Ok(())
    }

    /// Whether what becomes of one position depends on what is at others. Generation that keeps what it
    /// has computed of earlier positions must refuse such an edit.
    fn mixes_positions(&self) -> bool {
        false
    }

    /// Whether it may mix positions, for all that is known: of a closure nobody knows. A sweep gives such an
    /// edit of its bases all positions that it selects, in every variant.
    fn may_mix_positions(&self) -> bool {
        self.mixes_positions()
    }

    /// Whether the replacement does not depend on what was there.
    fn overwrites(&self) -> bool {
        false
    }

    /// The replacement of `selected`, which is `part` of the run.
    ///
    /// # Shapes
    /// - selected: the [axes](super::Axes) of the site, narrowed to what the hook selects
    ///
    /// # Errors
    /// Whatever the edit cannot do; the run fails with it.
    fn apply(&self, selected: &Tensor, part: &Part<'_>) -> Result<Tensor>;
}

/// Shape, kind and device of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TensorForm {
    /// Its shape.
    pub size: Vec<i64>,
    /// Its number format.
    pub kind: Kind,
    /// Where it lies.
    pub device: Device,
}

impl TensorForm {
    /// The form of `tensor`.
    ///
    /// # Errors
    /// [`Error::Torch`](crate::Error::Torch) for a tensor without one.
    pub fn of(tensor: &Tensor) -> Result<Self> {
        Ok(Self { size: tensor.size(), kind: tensor.f_kind()?, device: tensor.device() })
    }
}

impl fmt::Display for TensorForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} on {:?}", self.size, self.kind, self.device)
    }
}

/// What of a run an edit is given: sequences of equal length, side by side.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Part<'a> {
    /// The site.
    pub site: Site,
    /// The sequences along the axis `batch`, by their index in the batch.
    pub sequences: &'a [usize],
    /// Their examples' numbers, which stay the same however examples are put into batches.
    pub examples: &'a [u64],
    /// The positions along the axis `pos` (of attention: `query_pos`), counted from the sequences'
    /// beginning.
    pub positions: &'a [usize],
    /// The heads along the axis `head`; empty where there is none.
    pub heads: &'a [usize],
    /// The channels, neurons or tokens along the last axis; of attention, the key positions.
    pub last_axis: &'a [usize],
}

/// An edit of a part of a site's tensor.
#[derive(Debug)]
pub struct Hook {
    selected: Selected,
    edit: Box<dyn Edit>,
}

impl Hook {
    /// Puts `edit` at a site, or at the part of it that `at` selects.
    pub fn new<Class>(at: At<Class>, edit: impl Edit) -> Self {
        Self { selected: at.into_selected(), edit: Box::new(edit) }
    }

    /// The hook that [`selected`](Self::selected) and [`edit`](Self::edit) are of.
    pub(crate) fn from_parts(selected: Selected, edit: Box<dyn Edit>) -> Self {
        Self { selected, edit }
    }

    /// Where the hook stands.
    pub fn site(&self) -> Site {
        self.selected.site
    }

    /// What it does there.
    pub fn edit(&self) -> &dyn Edit {
        &*self.edit
    }

    pub(crate) fn selected(&self) -> &Selected {
        &self.selected
    }
}
