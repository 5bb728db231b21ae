//! What is varied.

use crate::batch::Batch;
use crate::error::{Result, SweepError};
use crate::hook::HookRegistry;

/// One axis of a sweep: what varies along it, and its labels.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Axis {
    /// What varies.
    pub name: String,
    /// A label for each index.
    pub labels: Vec<String>,
}

impl Axis {
    /// An axis with these labels.
    pub fn new(name: impl Into<String>, labels: impl IntoIterator<Item = impl ToString>) -> Self {
        let labels = labels.into_iter().map(|label| label.to_string()).collect();
        Self { name: name.into(), labels }
    }

    /// An axis of `len` indices, which are their own labels.
    pub fn counting(name: impl Into<String>, len: usize) -> Self {
        Self::new(name, 0..len)
    }

    /// Its length.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether nothing varies along it.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

/// One variant: a point of the axes, in one sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct VariantId {
    /// The number of the point: the last axis varies fastest.
    pub point: usize,
    /// The index of the sequence in the batch.
    pub sequence: usize,
}

/// The hooks of every variant: one registry for each point of the axes and each sequence of a batch.
///
/// They belong to the tokens of that batch: a sweep over others is refused.
pub struct Variants {
    axes: Vec<Axis>,
    batch: Batch,
    /// Sequences vary faster than points.
    registries: Vec<Box<dyn HookRegistry>>,
}

impl Variants {
    /// Variants over all points of `axes`: `hooks` makes those of one point, given its index along each
    /// axis, for one sequence of `batch`, given its index there.
    ///
    /// # Errors
    /// [`SweepError::EmptyAxis`], and whatever `hooks` fails with.
    pub fn over<Hooks: HookRegistry + 'static>(
        axes: impl IntoIterator<Item = Axis>,
        mut hooks: impl FnMut(&[usize], usize) -> Result<Hooks>,
        batch: &Batch,
    ) -> Result<Self> {
        let axes: Vec<Axis> = axes.into_iter().collect();
        if let Some(empty) = axes.iter().find(|axis| axis.is_empty()) {
            return Err(SweepError::EmptyAxis { axis: empty.name.clone() }.into());
        }
        let lengths = axes.iter().map(Axis::len);
        let n_points =
            lengths.clone().chain([batch.sequences().len()]).try_fold(1, usize::checked_mul);
        let Some(_) = n_points else {
            return Err(SweepError::TooManyPoints { shape: lengths.collect() }.into());
        };
        let n_points = lengths.product();
        let mut variants = Self { axes, batch: batch.clone(), registries: Vec::new() };
        for point in 0..n_points {
            let index = variants.index(point);
            for sequence in 0..variants.n_sequences() {
                variants.registries.push(Box::new(hooks(&index, sequence)?));
            }
        }
        Ok(variants)
    }

    /// The axes.
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// The number of points of the axes.
    pub fn n_points(&self) -> usize {
        self.registries.len() / self.n_sequences()
    }

    /// The batch whose tokens they were made for.
    pub(super) fn batch(&self) -> &Batch {
        &self.batch
    }

    pub(super) fn n_sequences(&self) -> usize {
        self.batch.sequences().len()
    }

    /// All variants, sequences varying fastest, and their hooks.
    pub(super) fn iter(&self) -> impl Iterator<Item = (VariantId, &dyn HookRegistry)> {
        let n_sequences = self.n_sequences();
        self.registries.iter().enumerate().map(move |(number, registry)| {
            let id = VariantId { point: number / n_sequences, sequence: number % n_sequences };
            (id, &**registry)
        })
    }

    /// The hooks of one variant.
    pub(super) fn registry(&self, id: VariantId) -> &dyn HookRegistry {
        &*self.registries[id.point * self.n_sequences() + id.sequence]
    }

    /// The index of a point along each axis.
    pub(super) fn index(&self, mut point: usize) -> Vec<usize> {
        let mut index = vec![0; self.axes.len()];
        for (along, axis) in index.iter_mut().zip(&self.axes).rev() {
            *along = point % axis.len();
            point /= axis.len();
        }
        index
    }

    /// A variant in words, to be named in an error.
    pub(super) fn describe(&self, id: VariantId) -> String {
        let index = self.index(id.point);
        let along = self.axes.iter().zip(index);
        let along = along.map(|(axis, index)| format!("{} {}", axis.name, axis.labels[index]));
        let words = along.chain([format!("sequence {}", id.sequence)]);
        words.collect::<Vec<_>>().join(", ")
    }
}
