//! What is varied.

use crate::batch::Batch;
use crate::error::{Error, Result};
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

/// The hooks of every variant: one for each point of the axes, and for each sequence.
pub struct Variants {
    axes: Vec<Axis>,
    n_sequences: usize,
    /// The last axis varies fastest, and sequences faster than all of them.
    registries: Vec<Box<dyn HookRegistry>>,
}

impl Variants {
    /// Variants over all points of `axes`: `hooks` makes those of one point, given its index along each
    /// axis, for one sequence of `batch`, given its index there.
    ///
    /// # Errors
    /// [`Error::EmptyAxis`], and whatever `hooks` fails with.
    pub fn over<Hooks: HookRegistry + 'static>(
        axes: impl IntoIterator<Item = Axis>,
        mut hooks: impl FnMut(&[usize], usize) -> Result<Hooks>,
        batch: &Batch,
    ) -> Result<Self> {
        let axes: Vec<Axis> = axes.into_iter().collect();
        if let Some(empty) = axes.iter().find(|axis| axis.is_empty()) {
            return Err(Error::EmptyAxis { axis: empty.name.clone() });
        }
        let n_sequences = batch.sequences().len();
        let n_points: usize = axes.iter().map(Axis::len).product();
        let mut registries: Vec<Box<dyn HookRegistry>> = Vec::with_capacity(n_points * n_sequences);
        let mut index = vec![0; axes.len()];
        for _ in 0..n_points {
            for sequence in 0..n_sequences {
                registries.push(Box::new(hooks(&index, sequence)?));
            }
            // Counts on, the last axis fastest.
            for (place, axis) in index.iter_mut().zip(&axes).rev() {
                *place += 1;
                if *place < axis.len() {
                    break;
                }
                *place = 0;
            }
        }
        Ok(Self { axes, n_sequences, registries })
    }

    /// The axes.
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// The number of points of the axes.
    pub fn n_points(&self) -> usize {
        self.registries.len() / self.n_sequences
    }

    /// The point of a variant in words, to be named in an error.
    pub(super) fn describe(&self, number: usize) -> String {
        let (mut point, sequence) = (number / self.n_sequences, number % self.n_sequences);
        let mut words = vec![format!("sequence {sequence}")];
        // The last axis varies fastest.
        for axis in self.axes.iter().rev() {
            words.push(format!("{} {}", axis.name, axis.labels[point % axis.len()]));
            point /= axis.len();
        }
        words.reverse();
        words.join(", ")
    }

    pub(super) fn n_sequences(&self) -> usize {
        self.n_sequences
    }

    pub(super) fn registries(&self) -> &[Box<dyn HookRegistry>] {
        &self.registries
    }
}
