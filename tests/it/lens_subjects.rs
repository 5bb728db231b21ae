//! Models whose lenses are known, and how readings are compared with what is known.

use hooked_gpt2::tch::Kind;
use hooked_gpt2::{Batch, Gpt2, Precision};
use ndarray::{ArrayD, ArrayView, ArrayViewD, Dimension, IxDyn};

use crate::support::{Reference, fixtures, load};
use crate::tolerance;

const MODELS: [(&str, &str); 2] = [("tiny", "tiny"), ("untied", "variants/untied")];
pub const PROMPTS: [&str; 3] = ["long", "short", "repeated"];
pub const PRECISIONS: [Precision; 2] = [Precision::F32, Precision::F64];
pub const RIGHT: [u32; 3] = [11, 4, 23];
pub const WRONG: [u32; 2] = [7, 30];

/// A model, what its lenses should read, and its prompts as one batch of sequences of different lengths.
pub struct Subject {
    pub name: &'static str,
    pub model: Gpt2,
    pub reference: Reference,
    pub batch: Batch,
}

pub fn subjects(precision: Precision) -> impl Iterator<Item = Subject> {
    MODELS.into_iter().map(move |(name, folder)| {
        let path = fixtures().join(format!("lenses/{name}.safetensors"));
        let reference = Reference::read(&path);
        let batch = Batch::new(PROMPTS.map(|prompt| reference.tokens(prompt))).unwrap();
        Subject { name, model: load(&fixtures().join(folder), precision), reference, batch }
    })
}

impl Subject {
    pub fn expected(&self, name: &str) -> ArrayD<f64> {
        let tensor = self.reference.tensor(name);
        let shape: Vec<usize> = tensor.size().iter().map(|&len| len as usize).collect();
        let numbers = tensor.to_kind(Kind::Double).flatten(0, -1);
        ArrayD::from_shape_vec(IxDyn(&shape), Vec::try_from(&numbers).unwrap()).unwrap()
    }

    pub fn len(&self, sequence: usize) -> usize {
        self.batch.sequences()[sequence].len()
    }
}

/// How far readings may be off: what is read of a stream of large values has their roundings.
pub fn allowed(precision: Precision, largest: f64) -> f64 {
    tolerance::of_activations(precision, largest)
}

pub fn largest(values: &ArrayD<f64>) -> f64 {
    values.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()))
}

#[track_caller]
pub fn assert_close<D: Dimension>(
    ours: ArrayView<'_, f64, D>,
    expected: ArrayViewD<'_, f64>,
    allowed: f64,
    what: &str,
) {
    assert_eq!(ours.shape(), expected.shape(), "{what}");
    for (index, (a, b)) in ours.iter().zip(&expected).enumerate() {
        let is_close = (a - b).abs() <= allowed || (a.is_nan() && b.is_nan());
        assert!(is_close, "{what}, number {index}: {a} and {b} differ by {:e}", (a - b).abs());
    }
}

pub fn assert_nan<'a>(values: impl IntoIterator<Item = &'a f64>) {
    assert!(values.into_iter().all(|value| value.is_nan()));
}
