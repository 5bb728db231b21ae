//! The sweeps that everybody runs.

use tch::Tensor;

use super::variants::{Axis, Variants};
use crate::batch::Batch;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::hook::at::Residual;
use crate::hook::{Activations, At, Axes, Hook, Positions, Selected, Site};
use crate::intervention::{Interventions, LayerScaling, Noise, Scale, Set};

/// What takes the place of an ablated activation.
#[derive(Clone, Copy)]
pub enum Replacement<'a> {
    /// Zero.
    Zero,
    /// Its mean over a reference set, as captured [moments](crate::hook::Moments) give it for a site: the
    /// site's tensor without `pos`, of the run's kind.
    Mean(&'a dyn Fn(Site) -> Result<Tensor>),
    /// What it is in another run, over sequences of the same lengths (resample ablation; patching, if the
    /// other run is the clean one).
    Resample(&'a Activations),
}

impl Replacement<'_> {
    /// What takes the place of `selected` in one sequence, of `len` tokens; `narrow` cuts it out of the
    /// site's tensor.
    fn hook(
        self,
        selected: Selected,
        (sequence, len): (usize, usize),
        narrow: impl Fn(Tensor) -> Result<Tensor>,
    ) -> Result<Hook> {
        let site = selected.site;
        Ok(match self {
            Replacement::Zero => Hook::from_parts(selected, Box::new(Scale::ZERO)),
            Replacement::Mean(mean) => {
                let pos = i64::from(site.axes() == Axes::Attention);
                let mean = mean(site)?.f_unsqueeze(pos)?;
                let mut size = mean.size();
                size[pos as usize] = len as i64;
                let value = narrow(mean.f_expand(&size[..], false)?)?;
                Hook::from_parts(selected, Box::new(Set::new(&value)?))
            }
            Replacement::Resample(other) => {
                let value = narrow(other.get(site, sequence)?)?;
                Hook::from_parts(selected, Box::new(Set::new(&value)?))
            }
        })
    }
}

fn only(hook: Hook) -> Interventions {
    let mut hooks = Interventions::new();
    hooks.add(hook);
    hooks
}

/// A sequence and its length.
fn of(batch: &Batch, sequence: usize) -> (usize, usize) {
    (sequence, batch.sequences()[sequence].len())
}

/// The length that all sequences share, which a grid over positions needs.
fn common_len(batch: &Batch) -> Result<usize> {
    let len = batch.sequences()[0].len();
    match batch.sequences().iter().find(|tokens| tokens.len() != len) {
        None => Ok(len),
        Some(other) => Err(Error::UnequalLengths { first: len, other: other.len() }),
    }
}

impl Variants {
    /// Each layer's `resid_post` times each factor: axes `layer` and `factor`.
    ///
    /// # Errors
    /// [`Error::NotFinite`] and [`Error::EmptyAxis`].
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
                with.hook(selected, of(batch, sequence), Ok).map(only)
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
                let narrow = |whole: Tensor| Ok(whole.f_narrow(-1, neuron as i64, 1)?);
                with.hook(selected, of(batch, sequence), narrow).map(only)
            },
            batch,
        )
    }

    /// A residual site of each block patched at each position: axes `layer` and `position`. `site` is one
    /// of `At::resid_pre`, `resid_mid`, `resid_post`, `attn_out`, `mlp_out` and the like.
    ///
    /// # Errors
    /// [`Error::UnequalLengths`], those of [`over`](Self::over), and those of looking the replacement up.
    pub fn patched_positions(
        config: &Config,
        site: fn(usize) -> At<Residual>,
        with: Replacement<'_>,
        batch: &Batch,
    ) -> Result<Self> {
        let len = common_len(batch)?;
        let axes = [Axis::counting("layer", config.n_layers), Axis::counting("position", len)];
        Self::over(
            axes,
            |index, sequence| {
                let at = site(index[0]).positions(Positions::at(index[1]));
                let narrow = |whole: Tensor| Ok(whole.f_narrow(0, index[1] as i64, 1)?);
                with.hook(at.into_selected(), of(batch, sequence), narrow).map(only)
            },
            batch,
        )
    }

    /// A site of each head patched at every position: axes `layer` and `head`. `site` is `Site::q`, `k`,
    /// `v`, `z`, `result`, `attn_scores`, `pattern` or an input fork.
    ///
    /// # Errors
    /// [`Error::SelectionAtSite`] for a site without heads, those of [`over`](Self::over), and those of
    /// looking the replacement up.
    pub fn patched_heads(
        config: &Config,
        site: fn(usize) -> Site,
        with: Replacement<'_>,
        batch: &Batch,
    ) -> Result<Self> {
        let axis = head_axis(site(0))?;
        let axes =
            [Axis::counting("layer", config.n_layers), Axis::counting("head", config.n_heads)];
        Self::over(
            axes,
            |index, sequence| {
                let whole = Selected::whole(site(index[0]));
                let selected = Selected { heads: Some(vec![index[1]]), ..whole };
                let narrow = |whole: Tensor| Ok(whole.f_narrow(axis, index[1] as i64, 1)?);
                with.hook(selected, of(batch, sequence), narrow).map(only)
            },
            batch,
        )
    }

    /// A site of each head patched at each position, of attention at each query position: axes `layer`,
    /// `head` and `position`.
    ///
    /// # Errors
    /// Those of [`patched_heads`](Self::patched_heads), and [`Error::UnequalLengths`].
    pub fn patched_head_positions(
        config: &Config,
        site: fn(usize) -> Site,
        with: Replacement<'_>,
        batch: &Batch,
    ) -> Result<Self> {
        let (axis, len) = (head_axis(site(0))?, common_len(batch)?);
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
                let narrow = |whole: Tensor| {
                    let head = whole.f_narrow(axis, index[1] as i64, 1)?;
                    // Heads and positions are the first two axes, in one order or the other.
                    Ok(head.f_narrow(1 - axis, index[2] as i64, 1)?)
                };
                with.hook(Selected { heads, positions, ..whole }, of(batch, sequence), narrow)
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

/// Which axis of one sequence's tensor counts heads.
fn head_axis(site: Site) -> Result<i64> {
    match site.axes() {
        Axes::Attention => Ok(0),
        Axes::HeadVector | Axes::HeadResidual => Ok(1),
        _ => Err(Error::SelectionAtSite {
            given: "heads",
            site: site.to_string(),
            allowed: "sites with heads".to_owned(),
        }),
    }
}
