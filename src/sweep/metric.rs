//! What can be measured of a variant's logits.

use super::reading::Reading;
use super::variants::Axis;
use crate::error::Result;

/// One number of a reading, which says [of which variant](Reading::index) it is.
pub trait Metric {
    /// The name under which the results have it.
    fn name(&self) -> &str;

    /// Checks, before anything is computed, that the metric fits what will be read.
    ///
    /// # Errors
    /// Whatever does not fit; nothing is run then.
    fn check(&self, _scored: &Scored<'_>) -> Result<()> {
        Ok(())
    }

    /// Measures.
    ///
    /// # Errors
    /// Why the metric has no value there: it is NaN, and [`Results::failures`](super::Results::failures)
    /// counts and explains it. May be an error of one's own, as [`Error::other`](crate::Error::other).
    fn measure(&self, reading: &Reading<'_>) -> Result<f64>;

    /// The same metric under another name, so that one sweep can have it for several targets.
    ///
    /// ```
    /// # use hooked_gpt2::sweep::{Loss, Metric};
    /// let (woman, man) = (Loss::of(1597).named("loss of woman"), Loss::of(518).named("loss of man"));
    /// # assert_ne!(woman.name(), man.name());
    /// ```
    fn named(self, name: impl Into<String>) -> Named<Self>
    where
        Self: Sized,
    {
        Named { name: name.into(), metric: self }
    }
}

/// What a sweep reads, for a metric to be checked against.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Scored<'a> {
    /// The axes of the variants.
    pub axes: &'a [Axis],
    /// The size of the vocabulary.
    pub d_vocab: usize,
    /// The tokens of each sequence.
    pub sequences: &'a [Vec<u32>],
    /// The scored positions of each sequence.
    pub positions: &'a [Vec<usize>],
}

/// A metric under another name: see [`Metric::named`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named<M> {
    name: String,
    metric: M,
}

impl<M: Metric> Metric for Named<M> {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self, scored: &Scored<'_>) -> Result<()> {
        self.metric.check(scored)
    }

    fn measure(&self, reading: &Reading<'_>) -> Result<f64> {
        self.metric.measure(reading)
    }
}

/// A metric of one's own: a name and a closure.
pub struct Measure<F> {
    name: String,
    measure: F,
}

impl<F: Fn(&Reading<'_>) -> Result<f64>> Measure<F> {
    /// A metric that measures with `measure`.
    pub fn new(name: impl Into<String>, measure: F) -> Self {
        Self { name: name.into(), measure }
    }
}

impl<F: Fn(&Reading<'_>) -> Result<f64>> Metric for Measure<F> {
    fn name(&self) -> &str {
        &self.name
    }

    fn measure(&self, reading: &Reading<'_>) -> Result<f64> {
        (self.measure)(reading)
    }
}
