//! What a capture asks for.

use std::fmt;

use tch::{Kind, Tensor};

use super::selection::along;
use super::{Kept, Positions};
use crate::config::Config;
use crate::error::{AnalysisError, CaptureError, Listed, Result, SelectionError};
use crate::layout::SegmentGroup;
use crate::scalar::scalar;
use crate::site::{Site, SiteShape};

/// What a capture asks for, whatever a lookup of it gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureSpec {
    pub(super) site: Site,
    before_edits: bool,
    positions: Positions,
    heads: Option<Vec<usize>>,
    pub(super) reduction: Reduction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reduction {
    Whole,
    Norm,
    Moments,
    TopK(usize),
}

impl CaptureSpec {
    /// The whole tensor at `site`.
    pub(crate) fn whole(site: Site) -> Self {
        let positions = Positions::all();
        Self { site, before_edits: false, positions, heads: None, reduction: Reduction::Whole }
    }

    /// The whole tensor at the same site, before or after the edits there as this is.
    pub(crate) fn whole_of(&self) -> Self {
        Self { before_edits: self.before_edits, ..Self::whole(self.site) }
    }

    /// Reduced on the way.
    pub(super) fn reduced(self, reduction: Reduction) -> Self {
        Self { reduction, ..self }
    }

    /// As it is before the edits at its site.
    pub(super) fn before_edits(self) -> Self {
        Self { before_edits: true, ..self }
    }

    /// Only at these positions.
    pub(super) fn at(self, positions: Positions) -> Self {
        Self { positions, ..self }
    }

    /// Only these heads, in increasing order.
    pub(super) fn of_heads(self, heads: Vec<usize>) -> Self {
        Self { heads: Some(heads), ..self }
    }

    /// Whether it is taken before the edits at its site.
    pub(crate) fn is_before_edits(&self) -> bool {
        self.before_edits
    }

    /// The site.
    pub(crate) fn site(&self) -> Site {
        self.site
    }

    /// The heads that it is of, unless it is of all or the site has none.
    pub(crate) fn heads(&self) -> Option<&[usize]> {
        self.heads.as_deref()
    }

    /// The positions of `group` that it covers.
    ///
    /// # Errors
    /// [`PositionOutOfRange`](crate::error::SelectionError::PositionOutOfRange).
    pub(crate) fn positions_in(&self, group: &SegmentGroup) -> Result<Vec<usize>> {
        self.positions.within(group.span.clone(), group.extent, group.segments[0].sequence)
    }

    /// Checks that what is at the site can be reduced so.
    ///
    /// # Errors
    /// [`CaptureError::NoMoments`].
    pub(crate) fn check_reduction(&self) -> Result<()> {
        match self.reduction {
            Reduction::Moments if self.site.is_scores() => Err(CaptureError::NoMoments.into()),
            _ => Ok(()),
        }
    }

    /// Checks that the model has the heads.
    ///
    /// # Errors
    /// [`SelectionAtSite`](SelectionError::SelectionAtSite) for a site without heads,
    /// [`EmptySelection`](SelectionError::EmptySelection) and
    /// [`IndexOutOfRange`](SelectionError::IndexOutOfRange).
    pub(crate) fn check_heads(&self, config: &Config) -> Result<()> {
        let site = self.site;
        if self.heads.is_some() && site.shape().heads().is_none() {
            let (given, allowed) = ("heads", "positions".to_owned());
            return Err(SelectionError::SelectionAtSite { given, site, allowed }.into());
        }
        along("head", &self.heads, config.n_heads).map(drop)
    }

    /// Checks a selection of the largest entries against the last axis, of length `width`.
    pub(crate) fn check_width(&self, width: usize) -> Result<()> {
        match self.reduction {
            Reduction::TopK(given) if given == 0 || given > width => {
                Err(AnalysisError::TopKOutOfRange { given, allowed: width }.into())
            }
            _ => Ok(()),
        }
    }

    /// The bytes that it keeps of `group`, in a model whose numbers have `size` bytes each.
    ///
    /// # Errors
    /// [`PositionOutOfRange`](crate::error::SelectionError::PositionOutOfRange).
    pub(crate) fn bytes(
        &self,
        config: &Config,
        group: &SegmentGroup,
        size: usize,
    ) -> Result<usize> {
        let axes = self.site.shape();
        let all_heads = if axes.heads().is_some() { config.n_heads } else { 1 };
        let heads = self.heads.as_ref().map_or(all_heads, Vec::len);
        let width = if axes == SiteShape::Attention { group.span.end } else { config.width(axes) };
        let double = size_of::<f64>();
        // Queries, keys and values are views of one product, which is kept as long as one of them.
        let views = if axes == SiteShape::HeadVector { 3 } else { 1 };
        let positions = self.positions_in(group)?.len();
        let of_segment = match self.reduction {
            Reduction::Whole => positions * heads * width * size * views,
            Reduction::Norm => positions * heads * double,
            Reduction::Moments => 2 * heads * width * double,
            Reduction::TopK(k) => positions * heads * k * (size + size_of::<i64>()),
        };
        Ok(group.segments.len() * of_segment)
    }

    /// Keeps of the tensor of `group` what is asked for; `None` if that is nothing of it.
    ///
    /// # Shapes
    /// - state: the axes of the site
    pub(crate) fn keep(&self, group: &SegmentGroup, state: &Tensor) -> Result<Option<Kept>> {
        let positions = self.positions_in(group)?;
        let count = positions.len();
        if count == 0 {
            return Ok(None);
        }
        let pos = self.site.shape().positions() as i64;
        // Copies: views would keep all of the tensor.
        let only = |state: &Tensor, axis: i64, indices: Vec<i64>| -> Result<Tensor> {
            let indices = Tensor::f_from_slice(&indices)?.f_to_device(state.device())?;
            Ok(state.f_index_select(axis, &indices)?)
        };
        let mut state = state.shallow_clone();
        if count < group.len() {
            let start = group.span.start;
            let rows = positions.iter().map(|pos| (pos - start) as i64).collect();
            state = only(&state, pos, rows)?;
        }
        if let (Some(heads), Some(axis)) = (&self.heads, self.site.shape().heads()) {
            state = only(&state, axis as i64, heads.iter().map(|&head| head as i64).collect())?;
        }
        let double = || state.f_to_kind(Kind::Double);
        let tensors = match self.reduction {
            // Nothing in a forward pass writes in place, so sharing the memory is safe.
            Reduction::Whole => [Some(state), None],
            Reduction::Norm => {
                let mut squares = double()?.f_square()?;
                if self.site.is_scores() {
                    // Of the keys that a query sees.
                    let zero = scalar(0.0, &squares)?;
                    squares = squares.f_masked_fill_tensor(&state.f_isneginf()?, &zero)?;
                }
                [Some(squares.f_sum_dim_intlist(-1, false, Kind::Double)?.f_sqrt()?), None]
            }
            Reduction::Moments => {
                let values = double()?;
                let mean = values.f_mean_dim(pos, true, Kind::Double)?;
                let squares = values.f_sub(&mean)?.f_square()?;
                let squares = squares.f_sum_dim_intlist(pos, false, Kind::Double)?;
                [Some(mean.f_squeeze_dim(pos)?), Some(squares)]
            }
            Reduction::TopK(k) => {
                let (values, indices) = state.f_topk(k as i64, -1, true, true)?;
                [Some(values), Some(indices)]
            }
        };
        Ok(Some(Kept { count, tensors }))
    }
}

impl fmt::Display for CaptureSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.site)?;
        if self.before_edits {
            f.write_str(" before edits")?;
        }
        if !self.positions.is_all() {
            // `{:#}` shortens no list: what is shown has to tell captures apart.
            match f.alternate() {
                true => write!(f, " at positions {:#}", self.positions)?,
                false => write!(f, " at positions {}", self.positions)?,
            }
        }
        if let Some(heads) = &self.heads {
            match f.alternate() {
                true => write!(f, ", heads {heads:?}")?,
                false => write!(f, ", heads {}", Listed(heads))?,
            }
        }
        match self.reduction {
            Reduction::Whole => Ok(()),
            Reduction::Norm => f.write_str(" (norm)"),
            Reduction::Moments => f.write_str(" (moments)"),
            Reduction::TopK(k) => write!(f, " (top {k})"),
        }
    }
}
