//! What a sweep found.

use ndarray::{Array2, ArrayD, ArrayViewD, IxDyn};

use super::captured::Captured;
use super::engine::Visitor;
use super::metric::{Metric, Reading};
use super::plan::Plan;
use super::progress::Progress;
use super::variants::Axis;
use crate::error::{Error, Result};
use crate::hook::{Key, Work};

/// The metrics of every variant, and those of the bases.
#[derive(Debug)]
pub struct Results {
    axes: Vec<Axis>,
    metrics: Vec<String>,
    values: Vec<ArrayD<f64>>,
    base: Vec<Array2<f64>>,
    measured: usize,
    work: Work,
    captured: Captured,
}

impl Results {
    fn new(
        plan: &Plan<'_>,
        metrics: &[&dyn Metric],
        read: impl FnOnce(&mut Visitor<'_>) -> Result<(Captured, Work)>,
    ) -> Result<Self> {
        let mut results = Self::empty(plan, metrics);
        let mut take = |variant: Option<usize>, place: usize, reading: &Reading<'_>| {
            let taken = results.take(metrics, variant, place, reading);
            taken.map_err(|source| plan.in_variant(variant, reading, source))
        };
        let (captured, work) = read(&mut take)?;
        Ok(Self { captured, work, ..results })
    }

    fn empty(plan: &Plan<'_>, metrics: &[&dyn Metric]) -> Self {
        let mut axes = plan.variants.axes().to_vec();
        axes.push(Axis::counting("sequence", plan.scored.len()));
        axes.push(Axis::counting("position", plan.scored[0].len()));
        let shape: Vec<usize> = axes.iter().map(Axis::len).collect();
        let base = Array2::from_elem((plan.scored.len(), plan.scored[0].len()), f64::NAN);
        Self {
            axes,
            metrics: metrics.iter().map(|metric| metric.name().to_owned()).collect(),
            values: vec![ArrayD::from_elem(IxDyn(&shape), f64::NAN); metrics.len()],
            base: vec![base; metrics.len()],
            measured: 0,
            work: Work::default(),
            captured: Captured::default(),
        }
    }

    /// The axes of all values: those of the variants, then `sequence`, the index in the batch, and
    /// `position`, the index among the scored positions.
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// The values of a metric: `[variant axes…, sequence, position]`. NaN where a sweep that was stopped
    /// has not come to, and nowhere else unless the metric says so.
    ///
    /// # Errors
    /// [`Error::UnknownName`] for a metric that was not measured.
    pub fn values(&self, metric: &str) -> Result<ArrayViewD<'_, f64>> {
        Ok(self.values[self.place(metric)?].view())
    }

    /// The values of a metric of the bases: `[sequence, position]`.
    ///
    /// # Errors
    /// [`Error::UnknownName`] for a metric that was not measured.
    pub fn base(&self, metric: &str) -> Result<&Array2<f64>> {
        Ok(&self.base[self.place(metric)?])
    }

    /// Variants that were measured, each in each sequence: fewer than all if the sweep was stopped.
    pub fn measured(&self) -> usize {
        self.measured
    }

    /// What was computed. Passes that were stopped do not count.
    pub fn work(&self) -> Work {
        self.work
    }

    /// What was captured under `key` of one variant: the one at `index` along the axes of the variants, in
    /// one sequence of the batch. Up to where it forks off, that is what its base was.
    ///
    /// # Shapes
    /// - those of [`Activations::get`](crate::hook::Activations::get)
    ///
    /// # Errors
    /// [`Error::NoSuchPoint`], [`Error::NoSuchSequence`], [`Error::NotCaptured`].
    pub fn captured<K: Key>(&self, key: K, index: &[usize], sequence: usize) -> Result<K::Found> {
        self.check_sequence(sequence)?;
        // Behind the axes of the variants come sequences and positions.
        let axes = &self.axes[..self.axes.len() - 2];
        let shape: Vec<usize> = axes.iter().map(Axis::len).collect();
        if index.len() != shape.len() || index.iter().zip(&shape).any(|(at, len)| at >= len) {
            return Err(Error::NoSuchPoint { given: index.to_vec(), shape });
        }
        // The last axis varies fastest, and sequences faster than all of them.
        let point = index.iter().zip(&shape).fold(0, |point, (at, len)| point * len + at);
        self.captured.of_variant(key, point * self.n_sequences() + sequence, sequence)
    }

    /// What was captured under `key` of the base in one sequence of the batch.
    ///
    /// # Errors
    /// [`Error::NoSuchSequence`], [`Error::NotCaptured`].
    pub fn captured_of_base<K: Key>(&self, key: K, sequence: usize) -> Result<K::Found> {
        self.check_sequence(sequence)?;
        self.captured.of_base(key, sequence)
    }

    fn n_sequences(&self) -> usize {
        self.axes[self.axes.len() - 2].len()
    }

    fn check_sequence(&self, given: usize) -> Result<()> {
        let len = self.n_sequences();
        if given < len { Ok(()) } else { Err(Error::NoSuchSequence { given, len }) }
    }

    fn place(&self, metric: &str) -> Result<usize> {
        let place = self.metrics.iter().position(|name| name == metric);
        place.ok_or_else(|| Error::UnknownName {
            what: "metric",
            given: metric.to_owned(),
            allowed: self.metrics.join(", "),
        })
    }

    /// Takes a reading of a variant, or of a base.
    fn take(
        &mut self,
        metrics: &[&dyn Metric],
        variant: Option<usize>,
        place: usize,
        reading: &Reading<'_>,
    ) -> Result<()> {
        for (number, metric) in metrics.iter().enumerate() {
            let value = metric.measure(reading)?;
            match variant {
                None => self.base[number][[reading.sequence, place]] = value,
                Some(variant) => {
                    let flat = variant * self.base[number].ncols() + place;
                    let values = self.values[number].as_slice_mut();
                    if let Some(cell) = values.and_then(|values| values.get_mut(flat)) {
                        *cell = value;
                    }
                }
            }
        }
        if variant.is_some() && place == 0 {
            self.measured += 1;
        }
        Ok(())
    }
}

impl Plan<'_> {
    /// Runs the sweep and measures every variant and every base.
    ///
    /// # Errors
    /// Those of [`Run::execute`](crate::Run::execute), and [`Error::Variant`] for what a metric fails with.
    pub fn measure(&self, metrics: &[&dyn Metric]) -> Result<Results> {
        self.measure_with_progress(metrics, |_| true)
    }

    /// The same, telling how far it has come after every block. When `report` gives `false` the sweep
    /// stops, and what is finished is the result.
    ///
    /// # Errors
    /// Those of [`measure`](Self::measure).
    pub fn measure_with_progress(
        &self,
        metrics: &[&dyn Metric],
        mut report: impl FnMut(Progress) -> bool,
    ) -> Result<Results> {
        Results::new(self, metrics, |visit| self.read(visit, &mut report))
    }

    /// The same by one plain run for each variant: what every plan is held to, and nothing to be used
    /// where time matters.
    ///
    /// # Errors
    /// Those of [`measure`](Self::measure).
    pub fn measure_isolated(&self, metrics: &[&dyn Metric]) -> Result<Results> {
        Results::new(self, metrics, |visit| self.run_isolated(visit))
    }

    /// An error of a metric, with the name of the variant or of the base that it met.
    fn in_variant(&self, variant: Option<usize>, reading: &Reading<'_>, source: Error) -> Error {
        let variant = match variant {
            Some(number) => self.variants.describe(number),
            None => format!("the base, sequence {}", reading.sequence),
        };
        Error::Variant { variant, source: Box::new(source) }
    }
}
