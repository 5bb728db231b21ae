//! What to keep of a site's tensor.

use std::marker::PhantomData;

use tch::Tensor;

use super::at::sorted;
use super::capture_spec::Reduction;
use super::{CaptureSpec, Kept, Moments, Positions};
use crate::error::Result;
use crate::site::Site;

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
pub struct Capture<Kind = Whole> {
    spec: CaptureSpec,
    kind: PhantomData<Kind>,
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

impl Capture {
    /// The tensor at `site`.
    pub fn new(site: Site) -> Self {
        Self::of(CaptureSpec::whole(site))
    }

    /// Only the L2 norms of its vectors, along the last axis; of attention scores, over the keys that a query sees.
    pub fn norm(self) -> Capture<Norm> {
        self.reduced(Reduction::Norm)
    }

    /// Only mean and variance over the positions. The run fails at attention scores, which are negative infinity
    /// where a query sees no key.
    pub fn moments(self) -> Capture<Moments> {
        self.reduced(Reduction::Moments)
    }

    /// Only the `k` largest entries along the last axis. The run fails if `k` is 0 or too large.
    pub fn top_k(self, k: usize) -> Capture<TopK> {
        self.reduced(Reduction::TopK(k))
    }

    fn reduced<Kind>(self, reduction: Reduction) -> Capture<Kind> {
        Capture::of(self.spec.reduced(reduction))
    }
}

impl<Kind> Capture<Kind> {
    fn of(spec: CaptureSpec) -> Self {
        Self { spec, kind: PhantomData }
    }

    /// As it is before the edits at its site.
    pub fn before_edits(self) -> Self {
        Self::of(self.spec.before_edits())
    }

    /// Only at these positions; of attention, from these query positions.
    pub fn positions(self, positions: Positions) -> Self {
        Self::of(self.spec.at(positions))
    }

    /// Only of these heads, in increasing order and each once. The run fails at a site without heads.
    ///
    /// ```
    /// # use hooked_gpt2::hook::{Capture, Positions, Site};
    /// let name_movers = Capture::new(Site::z(9)).heads([6, 9]).positions(Positions::last());
    /// ```
    pub fn heads(self, heads: impl IntoIterator<Item = usize>) -> Self {
        Self::of(self.spec.of_heads(sorted(heads)))
    }
}

/// Names something captured: a [`Site`] or a [`Capture`], by value or by reference. There are no others.
pub trait CaptureKey {
    /// What a lookup gives.
    type Found;

    #[doc(hidden)]
    fn spec(&self) -> CaptureSpec;

    #[doc(hidden)]
    fn found(kept: &Kept, row: i64) -> Result<Self::Found>;
}

impl<K: CaptureKey> CaptureKey for &K {
    type Found = K::Found;

    fn spec(&self) -> CaptureSpec {
        (**self).spec()
    }

    fn found(kept: &Kept, row: i64) -> Result<K::Found> {
        K::found(kept, row)
    }
}

impl CaptureKey for Site {
    type Found = Tensor;

    fn spec(&self) -> CaptureSpec {
        CaptureSpec::whole(*self)
    }

    fn found(kept: &Kept, row: i64) -> Result<Tensor> {
        kept.row(0, row)
    }
}

impl<Kind: Reduced> CaptureKey for Capture<Kind> {
    type Found = Kind::Found;

    fn spec(&self) -> CaptureSpec {
        self.spec.clone()
    }

    fn found(kept: &Kept, row: i64) -> Result<Kind::Found> {
        Kind::found(kept, row)
    }
}

/// What a capture keeps.
pub trait Reduced {
    /// What a lookup gives.
    type Found;

    #[doc(hidden)]
    fn found(kept: &Kept, row: i64) -> Result<Self::Found>;
}

impl Reduced for Whole {
    type Found = Tensor;

    fn found(kept: &Kept, row: i64) -> Result<Tensor> {
        kept.row(0, row)
    }
}

impl Reduced for Norm {
    type Found = Tensor;

    fn found(kept: &Kept, row: i64) -> Result<Tensor> {
        kept.row(0, row)
    }
}

impl Reduced for TopK {
    type Found = Self;

    fn found(kept: &Kept, row: i64) -> Result<Self> {
        Ok(Self { values: kept.row(0, row)?, indices: kept.row(1, row)? })
    }
}

impl Reduced for Moments {
    type Found = Self;

    fn found(kept: &Kept, row: i64) -> Result<Self> {
        kept.moments(row)
    }
}

/// Adds what `keys` name to `specs`, each thing once.
pub(crate) fn add_captures(
    specs: &mut Vec<CaptureSpec>,
    keys: impl IntoIterator<Item = impl CaptureKey>,
) {
    for key in keys {
        let spec = key.spec();
        if !specs.contains(&spec) {
            specs.push(spec);
        }
    }
}
