//! What a hook does, and where.

use std::any::Any;
use std::fmt;

use tch::{Device, Kind, Tensor};

use super::at::At;
use super::selection::Selected;
use crate::error::{Error, Listed, Result};
use crate::scalar::reserved;
use crate::site::Site;

/// A change of a tensor, as a value.
///
/// Implementations get the selected part of a site's tensor, all its axes in their places, and return
/// its replacement: of the same shape, kind and device, and in memory of its own. Their `Debug` form
/// names the hook in errors and in the [`Ledger`](crate::Ledger). They may fail with errors of their own, as
/// [`Error::other`](crate::Error::other).
///
/// At `attn_scores`, what is negative infinity stays so, whatever an edit returns: no edit lets a query
/// see a key that the causal mask or a knock-out hides from it.
pub trait Edit: Any + fmt::Debug + Send + Sync {
    /// Checks, before anything is computed, that the edit fits what it will be given.
    ///
    /// `selected` and `part` are all that the hook selects in some sequences of equal length. What
    /// [`apply`](Self::apply) is given later may be a share of it: of a sweep's variant, or of a step of a
    /// generation, some of the positions.
    ///
    /// # Errors
    /// Whatever does not fit; nothing is run then.
    fn check(&self, _selected: &TensorForm, _part: &Part<'_>) -> Result<()> {
        Ok(())
    }

    /// Whether what becomes of one position depends on others, of `part`: all that the hook selects.
    ///
    /// Never, unless said otherwise; but at the attention `pattern`, where an edit can let a query see later
    /// keys, perhaps. Generation refuses an edit that mixes positions; a sweep gives an edit of its bases
    /// that perhaps does all positions that it selects, in every variant.
    ///
    /// # Errors
    /// Whatever keeps the edit from telling; nothing is run then.
    fn mixing(&self, part: &Part<'_>) -> Result<Mixing> {
        Ok(if part.site.is_pattern() { Mixing::Perhaps } else { Mixing::Never })
    }

    /// Whether the replacement does not depend on what was there.
    fn overwrites(&self) -> bool {
        false
    }

    /// Whether it hides keys from queries, which at `attn_scores` no later edit undoes.
    fn hides_keys(&self) -> bool {
        false
    }

    /// The replacement of `selected`, which is `part` of the run.
    ///
    /// # Shapes
    /// - selected: the [axes](super::SiteShape) of the site, narrowed to what the hook selects
    ///
    /// # Errors
    /// Whatever the edit cannot do; the run fails with it.
    fn apply(&self, selected: &Tensor, part: &Part<'_>) -> Result<Tensor>;
}

/// Whether an edit mixes positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mixing {
    /// What becomes of a position depends on that position, and on earlier ones through attention, alone.
    Never,
    /// Nobody can tell: a closure.
    Perhaps,
    /// What becomes of a position depends on others, later ones among them.
    Always,
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
    /// [`Error::NotDense`](crate::Error::NotDense) for a tensor without one: an undefined or sparse one, or one in
    /// another layout.
    pub fn of(tensor: &Tensor) -> Result<Self> {
        Self::read(tensor).map_err(|given| Error::NotDense { given })
    }

    /// The same, or in words what the tensor is.
    pub(crate) fn read(tensor: &Tensor) -> Result<Self, &'static str> {
        if !tensor.defined() {
            return Err("undefined");
        }
        if tensor.is_sparse() {
            return Err("sparse");
        }
        if tensor.is_mkldnn() {
            return Err("in the layout of oneDNN");
        }
        // Only what is dense can be looked at through strides: no call of tch's says it.
        if tensor.f_as_strided([0_i64], [1_i64], None).is_err() {
            return Err("in another layout");
        }
        let kind = tensor.f_kind().map_err(|_| "of another kind")?;
        Ok(Self { size: tensor.size(), kind, device: tensor.device() })
    }
}

impl fmt::Display for TensorForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} on {:?}", Listed(&self.size), self.kind, self.device)
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
    /// How many positions the hook selects before the first of [`positions`](Self::positions): 0 unless
    /// this is a share of what it selects. The first row of a tensor that has one for each selected position
    /// then belongs elsewhere, and this one to the first of these.
    pub positions_before: usize,
    /// How many heads the model has.
    pub(crate) n_heads: usize,
    /// The length of the last axis before it is narrowed; of attention, 1.
    pub(crate) width: usize,
}

impl Part<'_> {
    /// Whether a tensor that fits the attention pattern gives weight to keys behind their queries.
    ///
    /// # Shapes
    /// - pattern: `[…, query_pos, key_pos]` of this part
    pub(crate) fn shows_later_keys(&self, pattern: &Tensor) -> Result<bool> {
        let Some(later) = self.later_keys()? else { return Ok(false) };
        let later = later.f_to_device(pattern.device())?;
        let shown = pattern.f_to_kind(Kind::Bool)?.f_logical_and(&later)?;
        Ok(shown.f_any()?.f_int64_value(&[])? != 0)
    }

    /// Where keys of this part of attention are behind their queries, `[query_pos, key_pos]`; `None` if nowhere.
    pub(crate) fn later_keys(&self) -> Result<Option<Tensor>> {
        let mut later = reserved(self.positions.len() * self.last_axis.len())?;
        for &query in self.positions {
            later.extend(self.last_axis.iter().map(|&key| key > query));
        }
        if !later.contains(&true) {
            return Ok(None);
        }
        let shape = [self.positions.len() as i64, self.last_axis.len() as i64];
        Ok(Some(Tensor::f_from_slice(&later)?.f_view(shape)?))
    }

    /// The shape of the part.
    pub(crate) fn size(&self) -> Vec<i64> {
        let mut size = vec![self.sequences.len(), self.positions.len(), self.last_axis.len()];
        if let Some(axis) = self.site.shape().heads() {
            size.insert(axis, self.heads.len());
        }
        size.into_iter().map(|len| len as i64).collect()
    }
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
