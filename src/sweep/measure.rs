//! A plan that runs, and is read or measured on the way.

use super::metric::{Metric, Scored};
use super::plan::Plan;
use super::progress::Progress;
use super::reading::{Reading, Visitor};
use super::results::{Measured, MetricFailure, Results};
use super::variants::VariantId;
use crate::error::{Error, Result, SweepError};

/// The values of metrics while a sweep runs.
struct Measuring<'m> {
    metrics: &'m [&'m dyn Metric],
    measured: Vec<Measured>,
    n_measured: usize,
}

impl Measuring<'_> {
    /// Takes a reading of a variant, or of a base; `name` is called if a metric fails.
    fn take(
        &mut self,
        variant: Option<VariantId>,
        reading: &Reading<'_>,
        name: impl Fn() -> String,
    ) {
        for (metric, measured) in self.metrics.iter().zip(&mut self.measured) {
            let value = reading.check_numbers().and_then(|()| metric.measure(reading));
            let value = value.unwrap_or_else(|reason| {
                let (metric, first) = (measured.name.clone(), name());
                let failure = measured.failure.get_or_insert_with(|| MetricFailure {
                    metric,
                    count: 0,
                    first,
                    reason,
                });
                failure.count += 1;
                f64::NAN
            });
            match variant {
                None => measured.base[[reading.sequence, reading.scored]] = value,
                Some(id) => {
                    let (n_sequences, n_scored) = measured.base.dim();
                    let flat = (id.point * n_sequences + id.sequence) * n_scored + reading.scored;
                    let values = measured.values.as_slice_mut();
                    if let Some(cell) = values.and_then(|values| values.get_mut(flat)) {
                        *cell = value;
                    }
                }
            }
        }
        if variant.is_some() && reading.scored == 0 {
            self.n_measured += 1;
        }
    }
}

impl Plan<'_> {
    /// Runs the sweep and measures every variant and every base.
    ///
    /// A metric that fails at a reading has the value NaN there, and [`Results::failures`] says why.
    ///
    /// # Errors
    /// Before anything is computed: [`SweepError::MetricTwice`] for two metrics of one name, and whatever a
    /// metric's [`check`](Metric::check) fails with. Then those of [`Run::execute`](crate::Run::execute), as
    /// the source of [`SweepError::Variant`] where one variant is to blame.
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
        self.measured(metrics, |plan, results, visit| plan.run_passes(results, visit, &mut report))
    }

    /// The same by one plain run for each variant: what every plan is held to, and nothing to be used
    /// where time matters.
    ///
    /// # Errors
    /// Those of [`measure`](Self::measure).
    pub fn measure_isolated(&self, metrics: &[&dyn Metric]) -> Result<Results> {
        self.measured(metrics, |plan, results, visit| plan.run_isolated(results, visit))
    }

    /// Runs the sweep and shows `read` the logits of every base and every variant as they come, the base of
    /// a sequence before its variants: a reading for each scored position. The results have no metrics.
    ///
    /// A sweep of several passes shows the bases in each of them.
    ///
    /// ```
    /// # use hooked_gpt2::sweep::{Sweep, Variants};
    /// # use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, tch::Device};
    /// # let checkpoint = Checkpoint::bundled()?;
    /// # let (model, _) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
    /// # let prompt = Batch::single(checkpoint.tokenizer()?.encode("She was a very happy")?)?;
    /// let variants = Variants::layer_factors(0..model.config().n_layers, &[0.6], &prompt)?;
    /// let mut largest = Vec::new();
    /// Sweep::new(&model, &prompt).plan(&variants)?.read(|reading| {
    ///     if let Some(&[layer, _factor]) = reading.index {
    ///         let logits = reading.logits.iter().copied();
    ///         largest.push((layer, logits.fold(f64::NEG_INFINITY, f64::max)));
    ///     }
    ///     Ok(())
    /// })?;
    /// assert_eq!(largest.len(), model.config().n_layers);
    /// # Ok::<(), hooked_gpt2::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Run::execute`](crate::Run::execute), as the source of [`SweepError::Variant`] where one
    /// variant is to blame, and so logits of NaN and whatever `read` fails with.
    pub fn read(&self, read: impl FnMut(&Reading<'_>) -> Result<()>) -> Result<Results> {
        self.read_with_progress(read, |_| true)
    }

    /// The same, telling how far it has come after every block. When `report` gives `false` the sweep stops.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub fn read_with_progress(
        &self,
        mut read: impl FnMut(&Reading<'_>) -> Result<()>,
        mut report: impl FnMut(Progress) -> bool,
    ) -> Result<Results> {
        let mut results = Results::of(self, &[]);
        let mut visit = |variant: Option<VariantId>, reading: &Reading<'_>| {
            reading.check_numbers().and_then(|()| read(reading)).map_err(|source| {
                let variant = self.describe(variant, reading.sequence);
                Error::from(SweepError::Variant { variant, source: Box::new(source) })
            })
        };
        self.run_passes(&mut results, &mut visit, &mut report)?;
        Ok(results)
    }

    fn measured(
        &self,
        metrics: &[&dyn Metric],
        run: impl FnOnce(&Self, &mut Results, &mut Visitor<'_>) -> Result<()>,
    ) -> Result<Results> {
        self.check_metrics(metrics)?;
        let mut results = Results::of(self, metrics);
        let measured = std::mem::take(&mut results.metrics);
        let mut measuring = Measuring { metrics, measured, n_measured: 0 };
        run(self, &mut results, &mut |variant, reading| {
            measuring.take(variant, reading, || {
                let variant = self.describe(variant, reading.sequence);
                format!("{variant}, position {}", reading.position)
            });
            Ok(())
        })?;
        (results.metrics, results.measured) = (measuring.measured, measuring.n_measured);
        Ok(results)
    }

    fn check_metrics(&self, metrics: &[&dyn Metric]) -> Result<()> {
        for (number, metric) in metrics.iter().enumerate() {
            let name = metric.name();
            if metrics[..number].iter().any(|earlier| earlier.name() == name) {
                return Err(SweepError::MetricTwice { name: name.to_owned() }.into());
            }
            metric.check(&Scored {
                axes: self.variants.axes(),
                d_vocab: self.sweep.model.config().d_vocab,
                sequences: self.sweep.batch.sequences(),
                positions: &self.scored,
            })?;
        }
        Ok(())
    }

    /// A variant or a base in words.
    fn describe(&self, variant: Option<VariantId>, sequence: usize) -> String {
        match variant {
            Some(id) => self.variants.describe(id),
            None => format!("the base, sequence {sequence}"),
        }
    }
}
