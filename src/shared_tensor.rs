//! A tensor that several threads read.

use std::fmt;
use std::ops::Deref;

use tch::Tensor;

use crate::error::Result;

/// A tensor that several threads may read at once: what edits of one's own hold, which have to be [`Sync`].
///
/// It lends itself as `&Tensor`. What is computed from it is anybody's; a `shallow_clone` and a view of it share
/// its memory, and are not to be written to.
///
/// ```
/// use hooked_gpt2::hook::{Edit, Part};
/// use hooked_gpt2::tch::Tensor;
/// use hooked_gpt2::{Result, SharedTensor};
///
/// /// Takes out what lies along a direction of length 1.
/// #[derive(Debug)]
/// struct Without(SharedTensor);
///
/// impl Edit for Without {
///     fn apply(&self, selected: &Tensor, _part: &Part<'_>) -> Result<Tensor> {
///         let along = selected.f_matmul(&self.0)?.f_unsqueeze(-1)?.f_mul(&self.0)?;
///         Ok(selected.f_sub(&along)?)
///     }
/// }
/// ```
pub struct SharedTensor(Tensor);

// SAFETY: libtorch lets threads read one tensor at once: its counts of references are atomic, and what it
// knows of a tensor is settled when that is made. Nothing of this crate writes to one of these, nor gives out
// an alias of one. Safe code can, with a `shallow_clone`, but that gives it nothing new: `Tensor` is `Send`, so
// that a thread can be given a tensor whose memory another one still has.
unsafe impl Sync for SharedTensor {}

impl SharedTensor {
    /// A copy of `tensor`, cut off from what it was computed from.
    ///
    /// # Errors
    /// [`Torch`](crate::Error::Torch) if `tensor` cannot be copied.
    pub fn new(tensor: &Tensor) -> Result<Self> {
        Ok(Self(tensor.f_detach_copy()?))
    }

    /// The tensor itself, which nobody else has.
    pub(crate) fn from_own(tensor: Tensor) -> Self {
        Self(tensor)
    }
}

/// As the tensor itself.
impl fmt::Debug for SharedTensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Shares the memory, and takes none.
impl Clone for SharedTensor {
    fn clone(&self) -> Self {
        Self(self.0.shallow_clone())
    }
}

impl Deref for SharedTensor {
    type Target = Tensor;

    fn deref(&self) -> &Tensor {
        &self.0
    }
}
