//! What a sweep found.

use ndarray::{Array2, ArrayD, ArrayViewD, IxDyn, ShapeError};
use tch::Tensor;

use super::captured::Captured;
use super::metric::Metric;
use super::plan::Plan;
use super::variants::{Axis, VariantId};
use crate::dispatch::{Activations, Work};
use crate::error::{BatchError, Error, Result, SweepError};
use crate::hook::{Capture, CaptureKey, HookRegistry, Positions, Site};
use crate::layout::StagedSegment;
use crate::scalar::numbers;

/// The metrics of every variant and of the bases, and what was done to get them.
#[derive(Debug)]
pub struct Results {
    axes: Vec<Axis>,
    /// The scored positions of each sequence.
    positions: Vec<Vec<usize>>,
    /// How they were asked for, where logits are kept.
    logits_at: Option<Positions>,
    pub(super) metrics: Vec<Measured>,
    changes: Vec<Option<Change>>,
    pub(super) measured: usize,
    work: Work,
    captured: Captured,
}

/// The values of one metric.
#[derive(Debug)]
pub(super) struct Measured {
    pub name: String,
    pub values: ArrayD<f64>,
    pub base: Array2<f64>,
    pub failure: Option<MetricFailure>,
}

/// Where a metric had no value, and why: the values there are NaN.
#[derive(Debug)]
#[non_exhaustive]
pub struct MetricFailure {
    /// The name of the metric.
    pub metric: String,
    /// At how many readings it failed.
    pub count: usize,
    /// The first of them in words: a variant or a base, and the position.
    pub first: String,
    /// Why it failed there.
    pub reason: Error,
}

/// What a variant's own hooks changed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    l2: f64,
    skips: bool,
}

impl Change {
    pub fn new(l2: f64, registry: &dyn HookRegistry, n_layers: usize) -> Self {
        Self { l2, skips: (0..n_layers).any(|layer| registry.skips(layer)) }
    }
}

impl Results {
    /// Of a plan that has not run yet.
    pub(super) fn of(plan: &Plan<'_>, metrics: &[&dyn Metric]) -> Self {
        let n_sequences = plan.scored.len();
        let most_scored = plan.scored.iter().map(Vec::len).max().unwrap_or(0);
        let mut axes = plan.variants.axes().to_vec();
        axes.push(Axis::counting("sequence", n_sequences));
        axes.push(Axis::counting("position", most_scored));
        let shape: Vec<usize> = axes.iter().map(Axis::len).collect();
        let metrics = metrics.iter().map(|metric| Measured {
            name: metric.name().to_owned(),
            values: ArrayD::from_elem(IxDyn(&shape), f64::NAN),
            base: Array2::from_elem((n_sequences, most_scored), f64::NAN),
            failure: None,
        });
        Self {
            metrics: metrics.collect(),
            positions: plan.scored.clone(),
            logits_at: plan.sweep.keeps_logits.then(|| plan.sweep.score.clone()),
            changes: vec![None; plan.variants.n_points() * n_sequences],
            measured: 0,
            work: Work::default(),
            captured: plan.nothing_captured(),
            axes,
        }
    }

    /// The axes of all values: those of the variants, then `sequence`, the index in the batch, and
    /// `position`, the number among the scored positions of the sequence.
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// The axes of the variants alone.
    pub fn variant_axes(&self) -> &[Axis] {
        &self.axes[..self.axes.len() - 2]
    }

    /// The names of the metrics that were measured.
    pub fn metrics(&self) -> impl Iterator<Item = &str> {
        self.metrics.iter().map(|metric| &*metric.name)
    }

    /// The scored positions of one sequence of the batch.
    ///
    /// # Errors
    /// [`BatchError::NoSuchSequence`].
    pub fn positions(&self, sequence: usize) -> Result<&[usize]> {
        self.check_sequence(sequence)?;
        Ok(&self.positions[sequence])
    }

    /// The values of a metric, by its [name](Metric::name): `[variant axes…, sequence, position]`. NaN where a
    /// sequence has fewer scored positions than others, where a sweep that was stopped has not come to, and
    /// where the metric [failed](Self::failures) or has no value by its definition.
    ///
    /// # Errors
    /// [`Error::UnknownName`] for a metric that was not measured.
    pub fn values(&self, metric: &str) -> Result<ArrayViewD<'_, f64>> {
        Ok(self.metric(metric)?.values.view())
    }

    /// The values of a metric of the bases: `[sequence, position]`.
    ///
    /// # Errors
    /// [`Error::UnknownName`] for a metric that was not measured.
    pub fn base(&self, metric: &str) -> Result<&Array2<f64>> {
        Ok(&self.metric(metric)?.base)
    }

    /// The metrics that failed somewhere, such as a correlation with logits that are all equal: how often, and
    /// why. The sweep goes on, and their values there are NaN.
    pub fn failures(&self) -> impl Iterator<Item = &MetricFailure> {
        self.metrics.iter().filter_map(|metric| metric.failure.as_ref())
    }

    /// The L2 norm of all that the hooks of one variant changed at their sites, in one sequence of the batch:
    /// exactly 0 if they changed nothing. Skipped blocks have no part in it. NaN where a sweep that was
    /// stopped has not come to.
    ///
    /// # Errors
    /// [`SweepError::NoSuchPoint`], [`BatchError::NoSuchSequence`].
    pub fn change_l2(&self, index: &[usize], sequence: usize) -> Result<f64> {
        let id = self.variant(index, sequence)?;
        Ok(self.changes[self.number(id)].map_or(f64::NAN, |change| change.l2))
    }

    /// The variants that changed nothing: no hook of theirs changed its site, and they skip no block. Each by
    /// its index along the axes of the variants, and the sequence.
    pub fn unchanged(&self) -> Vec<(Vec<usize>, usize)> {
        let n_sequences = self.positions.len();
        let changes = self.changes.iter().enumerate();
        let unchanged = changes
            .filter(|(_, change)| change.is_some_and(|change| change.l2 == 0.0 && !change.skips));
        let index = |(number, _)| {
            let mut point = number / n_sequences;
            let axes = self.variant_axes().iter().rev();
            let mut index: Vec<usize> = axes
                .map(|axis| {
                    let along = point % axis.len();
                    point /= axis.len();
                    along
                })
                .collect();
            index.reverse();
            (index, number % n_sequences)
        };
        unchanged.map(index).collect()
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
    /// - those of [`Activations::get`]
    ///
    /// # Errors
    /// [`SweepError::NoSuchPoint`], [`BatchError::NoSuchSequence`],
    /// [`NotCaptured`](crate::error::CaptureError::NotCaptured).
    pub fn captured<K: CaptureKey>(
        &self,
        key: K,
        index: &[usize],
        sequence: usize,
    ) -> Result<K::Found> {
        let id = self.variant(index, sequence)?;
        self.captured.of_variant(key, id)
    }

    /// What was captured under `key` of the base in one sequence of the batch.
    ///
    /// # Errors
    /// [`BatchError::NoSuchSequence`], [`NotCaptured`](crate::error::CaptureError::NotCaptured).
    pub fn captured_of_base<K: CaptureKey>(&self, key: K, sequence: usize) -> Result<K::Found> {
        self.check_sequence(sequence)?;
        self.captured.of_base(key, sequence)
    }

    /// The logits of one variant, if the sweep [keeps them](super::Sweep::keep_logits): of the one at `index` along the
    /// axes of the variants, in one sequence of the batch.
    ///
    /// # Shapes
    /// - result: `[position, d_vocab]`, a row for each of the scored [positions](Self::positions)
    ///
    /// # Errors
    /// [`SweepError::NoSuchPoint`], [`BatchError::NoSuchSequence`], [`SweepError::LogitsNotKept`], and
    /// [`NotCaptured`](crate::error::CaptureError::NotCaptured) where a sweep that was stopped has not come to.
    pub fn logits(&self, index: &[usize], sequence: usize) -> Result<Array2<f64>> {
        let id = self.variant(index, sequence)?;
        matrix(&self.captured.of_variant(self.logits_key()?, id)?)
    }

    /// The logits of the base in one sequence of the batch, in the same form.
    ///
    /// # Errors
    /// Those of [`logits`](Self::logits).
    pub fn logits_of_base(&self, sequence: usize) -> Result<Array2<f64>> {
        self.check_sequence(sequence)?;
        matrix(&self.captured.of_base(self.logits_key()?, sequence)?)
    }

    fn logits_key(&self) -> Result<Capture> {
        let positions = self.logits_at.clone().ok_or(SweepError::LogitsNotKept)?;
        Ok(logits_at(positions))
    }

    /// The variant at `index` along the axes, in one sequence.
    fn variant(&self, index: &[usize], sequence: usize) -> Result<VariantId> {
        self.check_sequence(sequence)?;
        let shape: Vec<usize> = self.variant_axes().iter().map(Axis::len).collect();
        if index.len() != shape.len() || index.iter().zip(&shape).any(|(at, len)| at >= len) {
            return Err(SweepError::NoSuchPoint { given: index.to_vec(), shape }.into());
        }
        let point = index.iter().zip(&shape).fold(0, |point, (at, len)| point * len + at);
        Ok(VariantId { point, sequence })
    }

    fn number(&self, id: VariantId) -> usize {
        id.point * self.positions.len() + id.sequence
    }

    fn check_sequence(&self, given: usize) -> Result<()> {
        let len = self.positions.len();
        if given < len { Ok(()) } else { Err(BatchError::NoSuchSequence { given, len }.into()) }
    }

    fn metric(&self, name: &str) -> Result<&Measured> {
        let found = self.metrics.iter().find(|metric| metric.name == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = self.metrics.iter().map(|metric| &*metric.name).collect();
            let allowed =
                if names.is_empty() { "none, nothing was measured" } else { &names.join(", ") };
            let (given, allowed) = (name.to_owned(), allowed.to_owned());
            Error::UnknownName { what: "metric", given, allowed }
        })
    }

    /// Takes what a variant's own hooks changed.
    pub(super) fn take_change(&mut self, id: VariantId, change: Change) {
        let number = self.number(id);
        self.changes[number] = Some(change);
    }

    /// Takes what a pass captured and computed.
    pub(super) fn take_pass(
        &mut self,
        members: &[(VariantId, StagedSegment)],
        activations: Activations,
        work: Work,
    ) {
        self.captured.take(members, activations);
        self.work += work;
    }

    /// Takes what a plain run captured and computed.
    pub(super) fn take_plain(
        &mut self,
        variant: Option<VariantId>,
        activations: Activations,
        work: Work,
    ) {
        self.captured.take_plain(variant, activations);
        self.work += work;
    }
}

/// The capture that keeps logits at scored positions.
pub(super) fn logits_at(positions: Positions) -> Capture {
    Capture::new(Site::unembed()).positions(positions)
}

/// A matrix of libtorch's, in f64.
fn matrix(tensor: &Tensor) -> Result<Array2<f64>> {
    let (rows, columns) = tensor.size2()?;
    let numbers = numbers(tensor)?;
    Array2::from_shape_vec((rows as usize, columns as usize), numbers).map_err(bug)
}

/// What the shapes of a sweep's own values never are.
pub(super) fn bug(error: ShapeError) -> Error {
    Error::Bug(error.to_string())
}
