//! What to keep of a site's tensor.

use std::fmt;
use std::marker::PhantomData;

use tch::{Kind, Tensor};

use super::{Axes, Moments, Positions, Site};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::segment::SegmentGroup;

/// A site's tensor to be kept: after the edits there, at every position, whole, unless said otherwise.
///
/// A bare [`Site`] is the plainest capture. What is reduced is reduced on the way, so that a run keeps
/// no more than the result.
///
/// ```
/// # use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, hook::{Capture, Positions, Site}};
/// # let checkpoint = Checkpoint::bundled()?;
/// # let (model, _) = Gpt2::load(&checkpoint, Precision::F32, tch::Device::Cpu)?;
/// # let batch = Batch::single(checkpoint.tokenizer()?.encode("It was the best of")?)?;
/// let last = Capture::new(Site::resid_post(5)).positions(Positions::last());
/// let norms = Capture::new(Site::result(5)).norm();
/// let run = model.run(&batch).capture([&last]).capture([&norms]).without_logits();
/// let kept = run.execute()?.activations;
/// let n_heads = model.config().n_heads as i64;
/// assert_eq!(kept.get(&last, 0)?.size(), [1, model.config().d_model as i64]);
/// assert_eq!(kept.get(&norms, 0)?.size(), [batch.sequences()[0].len() as i64, n_heads]);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture<What = Whole> {
    spec: Spec,
    what: PhantomData<What>,
}

/// The tensor itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {}

/// The L2 norm of each vector along the last axis, in f64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Norm {}

/// The largest entries along the last axis, and where they are.
#[derive(Debug)]
#[non_exhaustive]
pub struct TopK {
    /// The largest first: `[pos, k]`, with a site's other axes between.
    pub values: Tensor,
    /// Their indices along the last axis, of the same shape.
    pub indices: Tensor,
}

/// What a capture is, untyped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    pub(super) site: Site,
    pub(super) before_edits: bool,
    positions: Positions,
    reduction: Reduction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reduction {
    Whole,
    Norm,
    Moments,
    TopK(usize),
}

/// What was kept of one group's tensor.
#[derive(Debug)]
pub struct Kept {
    /// How many positions it covers.
    count: usize,
    /// One tensor, or two of those captures that need two, with the axis `batch` first.
    tensors: [Option<Tensor>; 2],
}

impl Capture {
    /// The tensor at `site`.
    pub fn new(site: Site) -> Self {
        Self::of(Spec::whole(site))
    }

    /// Only the L2 norms of its vectors, along the last axis.
    pub fn norm(self) -> Capture<Norm> {
        self.reduced(Reduction::Norm)
    }

    /// Only mean and variance over the positions.
    pub fn moments(self) -> Capture<Moments> {
        self.reduced(Reduction::Moments)
    }

    /// Only the `k` largest entries along the last axis. The run fails if `k` is 0 or too large.
    pub fn top_k(self, k: usize) -> Capture<TopK> {
        self.reduced(Reduction::TopK(k))
    }

    fn reduced<What>(self, reduction: Reduction) -> Capture<What> {
        Capture::of(Spec { reduction, ..self.spec })
    }
}

impl<What> Capture<What> {
    fn of(spec: Spec) -> Self {
        Self { spec, what: PhantomData }
    }

    /// As it is before the edits at its site.
    pub fn before_edits(mut self) -> Self {
        self.spec.before_edits = true;
        self
    }

    /// Only at these positions; of attention, from these query positions.
    pub fn positions(mut self, positions: Positions) -> Self {
        self.spec.positions = positions;
        self
    }
}

/// Names something captured: a [`Site`] or a [`Capture`], by value or by reference.
pub trait Key {
    /// What a lookup gives.
    type Found;

    #[doc(hidden)]
    fn spec(&self) -> Spec;

    #[doc(hidden)]
    fn found(kept: &Kept, row: i64) -> Result<Self::Found>;
}

impl<K: Key> Key for &K {
    type Found = K::Found;

    fn spec(&self) -> Spec {
        (**self).spec()
    }

    fn found(kept: &Kept, row: i64) -> Result<K::Found> {
        K::found(kept, row)
    }
}

impl Key for Site {
    type Found = Tensor;

    fn spec(&self) -> Spec {
        Spec::whole(*self)
    }

    fn found(kept: &Kept, row: i64) -> Result<Tensor> {
        kept.row(0, row)
    }
}

impl<W: What> Key for Capture<W> {
    type Found = W::Found;

    fn spec(&self) -> Spec {
        self.spec.clone()
    }

    fn found(kept: &Kept, row: i64) -> Result<W::Found> {
        W::found(kept, row)
    }
}

/// What a capture keeps.
pub trait What {
    /// What a lookup gives.
    type Found;

    #[doc(hidden)]
    fn found(kept: &Kept, row: i64) -> Result<Self::Found>;
}

impl What for Whole {
    type Found = Tensor;

    fn found(kept: &Kept, row: i64) -> Result<Tensor> {
        kept.row(0, row)
    }
}

impl What for Norm {
    type Found = Tensor;

    fn found(kept: &Kept, row: i64) -> Result<Tensor> {
        kept.row(0, row)
    }
}

impl What for TopK {
    type Found = Self;

    fn found(kept: &Kept, row: i64) -> Result<Self> {
        Ok(Self { values: kept.row(0, row)?, indices: kept.row(1, row)? })
    }
}

impl What for Moments {
    type Found = Self;

    fn found(kept: &Kept, row: i64) -> Result<Self> {
        Ok(Self::new(kept.count, kept.row(0, row)?, kept.row(1, row)?))
    }
}

impl Spec {
    /// Adds what `keys` name to `specs`, each thing once.
    pub(crate) fn add(specs: &mut Vec<Self>, keys: impl IntoIterator<Item = impl Key>) {
        for key in keys {
            let spec = key.spec();
            if !specs.contains(&spec) {
                specs.push(spec);
            }
        }
    }

    pub(super) fn whole(site: Site) -> Self {
        let positions = Positions::all();
        Self { site, before_edits: false, positions, reduction: Reduction::Whole }
    }

    /// The site.
    pub(crate) fn site(&self) -> Site {
        self.site
    }

    /// The positions of `group` that it covers.
    ///
    /// # Errors
    /// [`Error::PositionOutOfRange`].
    pub(crate) fn positions_in(&self, group: &SegmentGroup) -> Result<Vec<usize>> {
        self.positions.within(group.span.clone(), group.extent, group.segments[0].sequence)
    }

    /// Checks a selection of the largest entries against the last axis, of length `width`.
    pub(super) fn check_width(&self, width: usize) -> Result<()> {
        match self.reduction {
            Reduction::TopK(given) if given == 0 || given > width => {
                Err(Error::TopKOutOfRange { given, allowed: width })
            }
            _ => Ok(()),
        }
    }

    /// The bytes that it keeps of `group`, in a model whose numbers have `size` bytes each.
    ///
    /// # Errors
    /// [`Error::PositionOutOfRange`].
    pub(crate) fn bytes(
        &self,
        config: &Config,
        group: &SegmentGroup,
        size: usize,
    ) -> Result<usize> {
        let axes = self.site.axes();
        let heads = if axes.have_heads() { config.n_heads } else { 1 };
        let width = if axes == Axes::Attention { group.span.end } else { axes.width(config) };
        let double = size_of::<f64>();
        // Queries, keys and values are views of one product, which is kept as long as one of them.
        let views = if axes == Axes::HeadVector { 3 } else { 1 };
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
    pub(super) fn keep(&self, group: &SegmentGroup, state: &Tensor) -> Result<Option<Kept>> {
        let positions = self.positions_in(group)?;
        let count = positions.len();
        if count == 0 {
            return Ok(None);
        }
        let pos = if self.site.axes() == Axes::Attention { 2 } else { 1 };
        let state = if count == group.len() {
            state.shallow_clone()
        } else {
            let start = group.span.start;
            let rows: Vec<i64> = positions.iter().map(|pos| (pos - start) as i64).collect();
            // A copy: a view would keep all of the tensor.
            state.f_index_select(pos, &Tensor::f_from_slice(&rows)?.f_to_device(state.device())?)?
        };
        let double = || state.f_to_kind(Kind::Double);
        let tensors = match self.reduction {
            // Nothing in a forward pass writes in place, so sharing the memory is safe.
            Reduction::Whole => [Some(state), None],
            Reduction::Norm => {
                let squares = double()?.f_square()?;
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

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.site)?;
        if self.before_edits {
            f.write_str(" before edits")?;
        }
        if !self.positions.is_all() {
            write!(f, " at positions {}", self.positions)?;
        }
        match self.reduction {
            Reduction::Whole => Ok(()),
            Reduction::Norm => f.write_str(" (norm)"),
            Reduction::Moments => f.write_str(" (moments)"),
            Reduction::TopK(k) => write!(f, " (top {k})"),
        }
    }
}

impl Kept {
    fn row(&self, which: usize, row: i64) -> Result<Tensor> {
        // Every reduction fills the tensors that its lookup reads.
        let undefined = Tensor::new();
        Ok(self.tensors[which].as_ref().unwrap_or(&undefined).f_select(0, row)?)
    }
}
