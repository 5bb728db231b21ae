//! Means over the sequences of a sweep.

use ndarray::{Array1, ArrayD, ArrayView1, ArrayView2, Axis as NdAxis, IxDyn};

use super::results::Results;
use crate::analysis::uncertainty::{Interval, bootstrap_mean};
use crate::error::Result;

impl Results {
    /// The mean of a metric over the sequences, and where it may lie: [`bootstrap_mean`] of one value for each sequence,
    /// which is the mean over its scored positions.
    ///
    /// A position where the base has no value, such as the end of a text for
    /// [`NextTokenLoss`](super::NextTokenLoss), does not count. Where a sequence has no value at a position that
    /// counts, the interval of that variant is of NaN.
    ///
    /// # Shapes
    /// - result: the axes of the variants
    ///
    /// # Errors
    /// [`Error::UnknownName`](crate::Error::UnknownName) for a metric that was not measured, and
    /// [`OutOfRange`](crate::error::AnalysisError::OutOfRange) for `level` and `resamples`.
    ///
    /// ```
    /// # use hooked_gpt2::sweep::{NextTokenLoss, Sweep, Variants};
    /// # use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, hook::Positions, tch::Device};
    /// # let checkpoint = Checkpoint::bundled()?;
    /// # let (model, _) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
    /// # let tokenizer = checkpoint.tokenizer()?;
    /// let texts = ["She was a very happy woman.", "It was the best of times.", "I do not know."];
    /// let texts: Vec<_> = texts.iter().map(|text| tokenizer.encode(text)).collect::<Result<_, _>>()?;
    /// let texts = Batch::new(texts)?;
    /// let variants = Variants::skipped_blocks(model.config(), &texts)?;
    /// let sweep = Sweep::new(&model, &texts).score(Positions::all());
    /// let results = sweep.plan(&variants)?.measure(&[&NextTokenLoss])?;
    /// let changes = results.mean_change("next_token_loss", 0.95, 10_000, 0)?; // [layer]
    /// println!("without block 3: {:+.3} nats, {:+.3} to {:+.3}", changes[3].mean, changes[3].low, changes[3].high);
    /// # assert!(changes[0].low > 0.0 && changes.shape() == [model.config().n_layers]);
    /// # Ok::<(), hooked_gpt2::Error>(())
    /// ```
    pub fn mean(
        &self,
        metric: &str,
        level: f64,
        resamples: usize,
        seed: u64,
    ) -> Result<ArrayD<Interval>> {
        self.intervals(metric, |value, _| value, level, resamples, seed)
    }

    /// The same of the differences from the base: each sequence's value less that of its base.
    ///
    /// # Errors
    /// Those of [`mean`](Self::mean).
    pub fn mean_change(
        &self,
        metric: &str,
        level: f64,
        resamples: usize,
        seed: u64,
    ) -> Result<ArrayD<Interval>> {
        self.intervals(metric, |value, base| value - base, level, resamples, seed)
    }

    fn intervals(
        &self,
        metric: &str,
        of: impl Fn(f64, f64) -> f64,
        level: f64,
        resamples: usize,
        seed: u64,
    ) -> Result<ArrayD<Interval>> {
        // Refused before anything is left out.
        bootstrap_mean(Array1::zeros(1).view(), level, resamples, seed)?;
        let (values, base) = (self.values(metric)?, self.base(metric)?);
        let shape: Vec<usize> = self.variant_axes().iter().map(super::Axis::len).collect();
        let n_points = shape.iter().product();
        let points = values.to_shape((n_points, base.len())).map_err(super::results::bug)?;
        let intervals = points.outer_iter().map(|point| {
            let point = point.to_shape(base.dim()).map_err(super::results::bug)?;
            let of_sequences = sequence_means(point.view(), base.view(), &of);
            if of_sequences.iter().all(|value| value.is_finite()) {
                return bootstrap_mean(of_sequences.view(), level, resamples, seed);
            }
            Ok(Interval { mean: f64::NAN, low: f64::NAN, high: f64::NAN })
        });
        let intervals = intervals.collect::<Result<Vec<_>>>()?;
        ArrayD::from_shape_vec(IxDyn(&shape), intervals).map_err(super::results::bug)
    }
}

/// One number for each sequence: the mean over the positions where its base has a value.
///
/// # Shapes
/// - values, base: `[sequence, position]`
fn sequence_means(
    values: ArrayView2<'_, f64>,
    base: ArrayView2<'_, f64>,
    of: impl Fn(f64, f64) -> f64,
) -> Array1<f64> {
    let mean = |values: ArrayView1<'_, f64>, base: ArrayView1<'_, f64>| {
        let counted = values.iter().zip(base).filter(|(_, base)| !base.is_nan());
        let counted: Array1<f64> = counted.map(|(&value, &base)| of(value, base)).collect();
        // Of none, NaN.
        counted.mean().unwrap_or(f64::NAN)
    };
    let sequences = values.axis_iter(NdAxis(0)).zip(base.axis_iter(NdAxis(0)));
    sequences.map(|(values, base)| mean(values, base)).collect()
}
