//! The sweeps that everybody runs.

use std::ops::Range;

use tch::Tensor;

use super::replacement::Replacement;
use super::variants::{Axis, Variants};
use crate::batch::Batch;
use crate::config::Config;
use crate::error::{Result, SelectionError};
use crate::hook::{At, Hook, Selected};
use crate::intervention::{Interventions, LayerScaling, Noise};
use crate::site::Site;

pub(super) fn only(hook: Hook) -> Interventions {
    let mut hooks = Interventions::new();
    hooks.add(hook);
    hooks
}

impl Variants {
    /// The `resid_post` of each of some layers times each factor: axes `layer` and `factor`. `0..config.n_layers` are
    /// all layers.
    ///
    /// ```
    /// # use hooked_gpt2::{Batch, Checkpoint, sweep::Variants};
    /// # let checkpoint = Checkpoint::bundled()?;
    /// # let prompt = Batch::single(checkpoint.tokenizer()?.encode("She was a very happy")?)?;
    /// let early = Variants::layer_factors(0..4, &[0.6, 0.8, 1.2], &prompt)?;
    /// let two = Variants::layer_factors([2, 9], &[0.6], &prompt)?;
    /// assert_eq!((early.n_points(), two.n_points()), (12, 2));
    /// # Ok::<(), hooked_gpt2::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFinite`](crate::error::InterventionError::NotFinite), and those of [`over`](Self::over).
    pub fn layer_factors(
        layers: impl IntoIterator<Item = usize>,
        factors: &[f64],
        batch: &Batch,
    ) -> Result<Self> {
        let layers: Vec<usize> = layers.into_iter().collect();
        let axes = [Axis::new("layer", &layers), Axis::new("factor", factors)];
        Self::over(
            axes,
            |index, _| {
                let mut scaling = LayerScaling::new();
                scaling.insert(layers[index[0]], factors[index[1]])?;
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
                let narrow = |whole: Tensor| cut(&whole, "neuron", 1, entry(neuron));
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
                let narrow = |whole: Tensor| cut(&whole, "head", axis, entry(index[1]));
                with.hook(selected, (batch, sequence), narrow).map(only)
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

/// The range of one entry.
pub(super) fn entry(index: usize) -> Range<usize> {
    index..index.saturating_add(1)
}

/// Some entries of a tensor along an axis, which stays.
pub(super) fn cut(
    whole: &Tensor,
    name: &'static str,
    axis: usize,
    entries: Range<usize>,
) -> Result<Tensor> {
    let len = whole.size().get(axis).map_or(0, |&len| len as usize);
    if entries.start >= len || entries.end > len {
        let given = entries.start.max(len);
        return Err(SelectionError::IndexOutOfRange { axis: name, given, len }.into());
    }
    Ok(whole.f_narrow(axis as i64, entries.start as i64, entries.len() as i64)?)
}

/// Which axis of one sequence's tensor counts heads.
pub(super) fn head_axis(site: Site) -> Result<usize> {
    let axis = site.shape().heads().map(|axis| axis - 1);
    axis.ok_or_else(|| {
        let allowed = site.shape().selections().join(", ");
        SelectionError::SelectionAtSite { given: "heads", site, allowed }.into()
    })
}
