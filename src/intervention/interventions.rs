//! The general registry.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tch::{Device, Tensor};

use super::description;
use super::knock_out::KnockOut;
use super::{
    Add, Clamp, Function, Interpolate, KeepOnly, MeanAblation, Noise, ProjectOut, Scale, Set,
    Shuffle,
};
use crate::device;
use crate::error::{Error, HookError, Result};
use crate::hook::{At, Hook, HookRegistry, MeanActivations, Part, Positions};

/// Any hooks at any sites. Those at one site apply in the order in which they were added.
///
/// Not `Clone`, since a closure or an edit of one's own need not be: a function that makes them serves where they
/// are needed several times, and [`save`](Self::save) and [`load`](Self::load) copy those that come with the crate.
///
/// ```
/// # use hooked_gpt2::{hook::{At, Positions}, intervention::Interventions};
/// let mut interventions = Interventions::new();
/// interventions.scale(At::attn_out(3), 0.0)?;
/// interventions.scale(At::z(7).heads([2]).positions(Positions::last()), 2.0)?;
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Interventions {
    layers: BTreeMap<usize, Vec<Hook>>,
    outside_blocks: Vec<Hook>,
    skipped: BTreeSet<usize>,
}

impl Interventions {
    /// No interventions yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds scaling of what `at` selects by `factor`.
    ///
    /// # Errors
    /// [`NotFinite`](crate::error::InterventionError::NotFinite) for NaN or an infinity. Whether the model and the
    /// input have what is selected is checked by each run.
    pub fn scale<Class>(&mut self, at: At<Class>, factor: f64) -> Result<&mut Self> {
        Ok(self.add(Hook::new(at, Scale::new(factor)?)))
    }

    /// Adds zero ablation of what `at` selects.
    pub fn zero<Class>(&mut self, at: At<Class>) -> &mut Self {
        self.add(Hook::new(at, Scale::ZERO))
    }

    /// Adds replacement of what `at` selects by `value`: see [`Set`] for how it must fit.
    ///
    /// # Errors
    /// [`Refused`](crate::error::HookError::Refused), whose reason is that of [`Set::new`].
    pub fn set<Class>(&mut self, at: At<Class>, value: &Tensor) -> Result<&mut Self> {
        let edit = Set::new(value).map_err(|error| refused("Set", &at, error))?;
        Ok(self.add(Hook::new(at, edit)))
    }

    /// Adds replacement of what `at` selects by its mean over reference prompts: mean ablation, see [`MeanAblation`].
    /// What the mean is over, `means` [was made for](crate::Run::mean_by_position).
    ///
    /// # Errors
    /// [`NoMean`](crate::error::CaptureError::NoMean) unless the site was averaged.
    pub fn mean_ablate<Class>(
        &mut self,
        at: At<Class>,
        means: &MeanActivations,
    ) -> Result<&mut Self> {
        let edit = MeanAblation::new(at.as_site(), means)?;
        Ok(self.add(Hook::new(at, edit)))
    }

    /// Adds addition of `coefficient` times `vector` to what `at` selects: steering.
    ///
    /// # Errors
    /// Those of [`Add::new`]; about the tensor, as the reason of [`Refused`](crate::error::HookError::Refused).
    pub fn steer<Class>(
        &mut self,
        at: At<Class>,
        vector: &Tensor,
        coefficient: f64,
    ) -> Result<&mut Self> {
        let edit = Add::new(vector, coefficient).map_err(|error| refused("Add", &at, error))?;
        Ok(self.add(Hook::new(at, edit)))
    }

    /// Adds a move of what `at` selects towards `target`, by the share `weight` of the way.
    ///
    /// # Errors
    /// Those of [`Interpolate::new`]; about the tensor, as the reason of
    /// [`Refused`](crate::error::HookError::Refused).
    pub fn interpolate<Class>(
        &mut self,
        at: At<Class>,
        target: &Tensor,
        weight: f64,
    ) -> Result<&mut Self> {
        let edit =
            Interpolate::new(target, weight).map_err(|error| refused("Interpolate", &at, error))?;
        Ok(self.add(Hook::new(at, edit)))
    }

    /// Adds removal of what lies along `directions`, one or several: see [`ProjectOut`].
    ///
    /// # Errors
    /// Those of [`ProjectOut::new`]; about the tensor, as the reason of [`Refused`](crate::error::HookError::Refused).
    pub fn project_out<Class>(&mut self, at: At<Class>, directions: &Tensor) -> Result<&mut Self> {
        let edit =
            ProjectOut::new(directions).map_err(|error| refused("ProjectOut", &at, error))?;
        Ok(self.add(Hook::new(at, edit)))
    }

    /// Adds removal of all but what lies along `directions`, one or several: see [`KeepOnly`].
    ///
    /// # Errors
    /// Those of [`project_out`](Self::project_out).
    pub fn keep_only<Class>(&mut self, at: At<Class>, directions: &Tensor) -> Result<&mut Self> {
        let edit = KeepOnly::new(directions).map_err(|error| refused("KeepOnly", &at, error))?;
        Ok(self.add(Hook::new(at, edit)))
    }

    /// Adds bounds for what `at` selects.
    pub fn clamp<Class>(&mut self, at: At<Class>, clamp: Clamp) -> &mut Self {
        self.add(Hook::new(at, clamp))
    }

    /// Adds addition of `noise` to what `at` selects.
    pub fn noise<Class>(&mut self, at: At<Class>, noise: Noise) -> &mut Self {
        self.add(Hook::new(at, noise))
    }

    /// Adds a shuffle of what `at` selects.
    pub fn shuffle<Class>(&mut self, at: At<Class>, shuffle: Shuffle) -> &mut Self {
        self.add(Hook::new(at, shuffle))
    }

    /// Cuts attention in block `layer`: these heads no longer look from these queries at these keys.
    /// What they looked at there goes to the other keys.
    pub fn knock_out(
        &mut self,
        layer: usize,
        heads: impl IntoIterator<Item = usize>,
        queries: Positions,
        keys: Positions,
    ) -> &mut Self {
        let edges = At::attn_scores(layer).heads(heads).queries(queries).keys(keys);
        self.add(Hook::new(edges, KnockOut))
    }

    /// Leaves block `layer` out: its residual stream passes unchanged, and nothing in it is computed.
    pub fn skip(&mut self, layer: usize) -> &mut Self {
        self.skipped.insert(layer);
        self
    }

    /// Adds a closure: what `at` selects is replaced by what `function` makes of it.
    pub fn edit<Class>(
        &mut self,
        name: impl Into<String>,
        at: At<Class>,
        function: impl Fn(&Tensor, &Part<'_>) -> Result<Tensor> + Send + 'static,
    ) -> &mut Self {
        self.add(Hook::new(at, Function::new(name, function)))
    }

    /// Adds a hook, after those that its site already has.
    pub fn add(&mut self, hook: Hook) -> &mut Self {
        let hooks = match hook.site().layer() {
            Some(layer) => self.layers.entry(layer).or_default(),
            None => &mut self.outside_blocks,
        };
        let after = hooks.partition_point(|earlier| earlier.site() <= hook.site());
        hooks.insert(after, hook);
        self
    }

    /// Writes all of it to a file that [`load`](Self::load) reads: as TOML or JSON, by the extension of
    /// `path`. Tensors go to a file beside it, whose SHA-256 the text names; for `edits.toml` it is
    /// `edits.toml.<the first 16 digits>.safetensors`. Without tensors there is none.
    ///
    /// A save over an earlier one replaces both files or none, whatever comes between, and leaves no other tensors of
    /// that text: see [the guide](crate::guide::edits#save-and-load).
    ///
    /// # Errors
    /// [`NotBuiltIn`](crate::error::InterventionError::NotBuiltIn) for closures and edits of one's own,
    /// [`StoredKind`](crate::error::CheckpointError::StoredKind) for tensors that are not of floating-point numbers,
    /// [`UnknownName`](crate::Error::UnknownName) for another extension,
    /// [`TooLarge`](crate::error::FileError::TooLarge) for a text of more than 16 MiB, and
    /// [`Write`](crate::error::FileError::Write).
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        description::save(self, path.as_ref())
    }

    /// Reads a file of interventions, saved or written by hand. Its tensors are loaded onto the CPU, of
    /// the kind in which they are stored; [`load_onto`](Self::load_onto) loads them beside another model.
    ///
    /// # Errors
    /// [`Toml`](crate::error::FileError::Toml) and [`Json`](crate::error::FileError::Json) for a text that cannot be read or
    /// has a field that is not known, [`DescribedHook`](crate::error::InterventionError::DescribedHook) for a hook that
    /// cannot be, [`OtherTensors`](crate::error::InterventionError::OtherTensors) for tensors that were not saved with the
    /// text, [`UnknownName`](crate::Error::UnknownName) for another extension,
    /// [`NotFound`](crate::error::FileError::NotFound), [`NotAFile`](crate::error::FileError::NotAFile),
    /// [`TooLarge`](crate::error::FileError::TooLarge) and [`Read`](crate::error::FileError::Read).
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_onto(path, Device::Cpu)
    }

    /// The same with the tensors on `device`, where the model that they are for is.
    ///
    /// # Errors
    /// Those of [`load`](Self::load), and [`NoSuchDevice`](crate::Error::NoSuchDevice).
    pub fn load_onto(path: impl AsRef<Path>, device: Device) -> Result<Self> {
        device::check(device)?;
        description::load(path.as_ref(), device)
    }

    /// All hooks in the order in which they apply.
    pub(super) fn in_order(&self) -> Vec<&Hook> {
        let mut hooks: Vec<&Hook> =
            self.layers.values().flatten().chain(&self.outside_blocks).collect();
        hooks.sort_by_key(|hook| hook.site());
        hooks
    }

    /// The layers that are left out.
    pub(super) fn skipped(&self) -> &BTreeSet<usize> {
        &self.skipped
    }
}

/// Says where a tensor was to be used that is of no use.
fn refused<Class>(edit: &str, at: &At<Class>, error: Error) -> Error {
    if !matches!(error, Error::NotDense { .. }) {
        return error;
    }
    let (hook, selected, reason) = (edit.to_owned(), at.to_string(), Box::new(error));
    HookError::Refused { hook, site: at.as_site(), selected, reason }.into()
}

impl HookRegistry for Interventions {
    fn hooks(&self, layer: usize) -> &[Hook] {
        self.layers.get(&layer).map_or(&[], Vec::as_slice)
    }

    fn hooks_outside_blocks(&self) -> &[Hook] {
        &self.outside_blocks
    }

    fn skips(&self, layer: usize) -> bool {
        self.skipped.contains(&layer)
    }

    fn layers(&self) -> Vec<usize> {
        self.layers.keys().chain(&self.skipped).copied().collect()
    }
}
