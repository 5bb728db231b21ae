//! The sweeps that everybody runs.

use tch::Tensor;

use super::replacement::Replacement;
use super::variants::{Axis, Variants};
use crate::batch::Batch;
use crate::config::Config;
use crate::error::{Result, SelectionError, SweepError};
use crate::hook::{At, Hook, Positions, Selected};
use crate::intervention::{Interventions, LayerScaling, Noise};
use crate::site::Site;

fn only(hook: Hook) -> Interventions {
    let mut hooks = Interventions::new();
    hooks.add(hook);
    hooks
}

/// The length that all sequences share, which a grid over positions needs.
fn common_len(batch: &Batch) -> Result<usize> {
    let len = batch.sequences()[0].len();
    match batch.sequences().iter().find(|tokens| tokens.len() != len) {
        None => Ok(len),
        Some(other) => Err(SweepError::UnequalLengths { first: len, other: other.len() }.into()),
    }
}

impl Variants {
    /// Each layer's `resid_post` times each factor: axes `layer` and `factor`.
    ///
    /// # Errors
    /// [`NotFinite`](crate::error::InterventionError::NotFinite) and [`SweepError::EmptyAxis`].
    pub fn layer_factors(config: &Config, factors: &[f64], batch: &Batch) -> Result<Self> {
        let axes = [Axis::counting("layer", config.n_layers), Axis::new("factor", factors)];
        Self::over(
            axes,
            |index, _| {
                let mut scaling = LayerScaling::new();
                scaling.insert(index[0], factors[index[1]])?;
                Ok(scaling)
            },
            batch,
        )
    }

    /// Each block skipped: axis `layer`.
    ///
    /// # Errors
    /// Those of [`over`](Self::over).
    pub fn skipped_blocks(config: &Config, batch: &Batch) -> Result<Self> {
        let axes = [Axis::counting("layer", config.n_layers)];
        Self::over(
            axes,
            |index, _| {
                let mut hooks = Interventions::new();
                hooks.skip(index[0]);
                Ok(hooks)
            },
            batch,
        )
    }

    /// Each run of consecutive blocks skipped, the shorter and earlier ones first: axis `blocks`, labelled
    /// `2..5` for blocks 2, 3 and 4.
    ///
    /// # Errors
    /// Those of [`over`](Self::over).
    pub fn skipped_runs(config: &Config, batch: &Batch) -> Result<Self> {
        let n_layers = config.n_layers;
        let starts = |len: usize| (0..=n_layers - len).map(move |start| start..start + len);
        let runs: Vec<_> = (1..=n_layers).flat_map(starts).collect();
        let labels = runs.iter().map(|run| format!("{}..{}", run.start, run.end));
        let axes = [Axis::new("blocks", labels)];
        Self::over(
            axes,
            |index, _| {
                let mut hooks = Interventions::new();
                for layer in runs[index[0]].clone() {
                    hooks.skip(layer);
                }
                Ok(hooks)
            },
            batch,
        )
    }

    /// What attention and what the MLP of each block add to the stream, replaced one by one: axes `layer`
    /// and `component`.
    ///
    /// # Errors
    /// Those of [`over`](Self::over), and those of looking the replacement up.
    pub fn ablated_components(
        config: &Config,
        with: Replacement<'_>,
        batch: &Batch,
    ) -> Result<Self> {
        let components: [fn(usize) -> Site; 2] = [Site::attn_out, Site::mlp_out];
        let axes = [
            Axis::counting("layer", config.n_layers),
            Axis::new("component", ["attn_out", "mlp_out"]),
        ];
        Self::over(
            axes,
            |index, sequence| {
                let selected = Selected::whole(components[index[1]](index[0]));
                with.hook(selected, (batch, sequence), Ok).map(only)
            },
            batch,
        )
    }

    /// Each head's `z` replaced at every position: axes `layer` and `head`.
    ///
    /// # Errors
    /// Those of [`over`](Self::over), and those of looking the replacement up.
    pub fn ablated_heads(config: &Config, with: Replacement<'_>, batch: &Batch) -> Result<Self> {
        Self::patched_heads(config, Site::z, with, batch)
    }

    /// Each of some neurons of block `layer` replaced at every position: axis `neuron`.
    ///
    /// # Errors
    /// Those of [`over`](Self::over), and those of looking the replacement up.
    pub fn ablated_neurons(
        layer: usize,
        neurons: &[usize],
        with: Replacement<'_>,
        batch: &Batch,
    ) -> Result<Self> {
        Self::over(
            [Axis::new("neuron", neurons)],
            |index, sequence| {
                let neuron = neurons[index[0]];
                let site = Site::mlp_post(layer);
                let selected = Selected { last_axis: Some(vec![neuron]), ..Selected::whole(site) };
                let narrow = |whole: Tensor| one(&whole, "neuron", 1, neuron);
                with.hook(selected, (batch, sequence), narrow).map(only)
            },
            batch,
        )
    }

    /// A site of each block patched at each position, of attention at each query position: axes `layer` and
    /// `position`. `site` is one of a block: `Site::resid_pre`, `attn_out`, `mlp_post` and the like.
    ///
    /// # Errors
    /// [`SweepError::UnequalLengths`], those of [`over`](Self::over), and those of looking the replacement up.
    pub fn patched_positions(
        config: &Config,
        site: impl Fn(usize) -> Site,
        with: Replacement<'_>,
        batch: &Batch,
    ) -> Result<Self> {
        let len = common_len(batch)?;
        let axes = [Axis::counting("layer", config.n_layers), Axis::counting("position", len)];
        Self::over(
            axes,
            |index, sequence| {
                let site = site(index[0]);
                let positions = Positions::at(index[1]);
                let narrow = |whole: Tensor| one(&whole, "position", position_axis(site), index[1]);
                let selected = Selected { positions, ..Selected::whole(site) };
                with.hook(selected, (batch, sequence), narrow).map(only)
            },
            batch,
        )
    }

    /// A site of each head patched at every position: axes `layer` and `head`. `site` is `Site::q`, `k`,
    /// `v`, `z`, `result`, `attn_scores`, `pattern` or an input fork.
    ///
    /// # Errors
    /// [`SelectionError::SelectionAtSite`] for a site without heads, those of [`over`](Self::over), and those of
    /// looking the replacement up.
    pub fn patched_heads(
        config: &Config,
        site: impl Fn(usize) -> Site,
        with: Replacement<'_>,
        batch: &Batch,
    ) -> Result<Self> {
        head_axis(site(0))?;
        let axes =
            [Axis::counting("layer", config.n_layers), Axis::counting("head", config.n_heads)];
        Self::over(
            axes,
            |index, sequence| {
                let whole = Selected::whole(site(index[0]));
                let axis = head_axis(whole.site)?;
                let selected = Selected { heads: Some(vec![index[1]]), ..whole };
                let narrow = |whole: Tensor| one(&whole, "head", axis, index[1]);
                with.hook(selected, (batch, sequence), narrow).map(only)
            },
            batch,
        )
    }

    /// A site of each head patched at each position, of attention at each query position: axes `layer`,
    /// `head` and `position`.
    ///
    /// # Errors
    /// Those of [`patched_heads`](Self::patched_heads), and [`SweepError::UnequalLengths`].
    pub fn patched_head_positions(
        config: &Config,
        site: impl Fn(usize) -> Site,
        with: Replacement<'_>,
        batch: &Batch,
    ) -> Result<Self> {
        head_axis(site(0))?;
        let len = common_len(batch)?;
        let axes = [
            Axis::counting("layer", config.n_layers),
            Axis::counting("head", config.n_heads),
            Axis::counting("position", len),
        ];
        Self::over(
            axes,
            |index, sequence| {
                let whole = Selected::whole(site(index[0]));
                let (heads, positions) = (Some(vec![index[1]]), Positions::at(index[2]));
                let (axis, along) = (head_axis(whole.site)?, position_axis(whole.site));
                let narrow = |whole: Tensor| {
                    let head = one(&whole, "head", axis, index[1])?;
                    one(&head, "position", along, index[2])
                };
                with.hook(Selected { heads, positions, ..whole }, (batch, sequence), narrow)
                    .map(only)
            },
            batch,
        )
    }

    /// Gaussian noise of each standard deviation at `at`: axis `std`. All levels draw the same numbers,
    /// scaled.
    ///
    /// # Errors
    /// Those of [`Noise::gaussian`] and of [`over`](Self::over).
    pub fn noise_levels<Class: Clone>(
        at: &At<Class>,
        stds: &[f64],
        seed: u64,
        batch: &Batch,
    ) -> Result<Self> {
        let hooks = |index: &[usize], _| {
            Ok(only(Hook::new(at.clone(), Noise::gaussian(stds[index[0]], seed)?)))
        };
        Self::over([Axis::new("std", stds)], hooks, batch)
    }

    /// A vector added at `at` with each coefficient: axis `coefficient`.
    ///
    /// # Errors
    /// Those of [`Add::new`](crate::intervention::Add::new) and of [`over`](Self::over).
    pub fn steered<Class: Clone>(
        at: &At<Class>,
        vector: &Tensor,
        coefficients: &[f64],
        batch: &Batch,
    ) -> Result<Self> {
        let hooks = |index: &[usize], _| {
            let mut hooks = Interventions::new();
            hooks.steer(at.clone(), vector, coefficients[index[0]])?;
            Ok(hooks)
        };
        Self::over([Axis::new("coefficient", coefficients)], hooks, batch)
    }
}

/// Which axis of one sequence's tensor counts positions, of attention those of the queries.
fn position_axis(site: Site) -> usize {
    site.shape().positions() - 1
}

/// One entry of a tensor along an axis, which stays.
fn one(whole: &Tensor, name: &'static str, axis: usize, given: usize) -> Result<Tensor> {
    let len = whole.size().get(axis).map_or(0, |&len| len as usize);
    if given >= len {
        return Err(SelectionError::IndexOutOfRange { axis: name, given, len }.into());
    }
    Ok(whole.f_narrow(axis as i64, given as i64, 1)?)
}

/// Which axis of one sequence's tensor counts heads.
fn head_axis(site: Site) -> Result<usize> {
    let axis = site.shape().heads().map(|axis| axis - 1);
    axis.ok_or_else(|| {
        let allowed = site.shape().selections().join(", ");
        SelectionError::SelectionAtSite { given: "heads", site, allowed }.into()
    })
}
