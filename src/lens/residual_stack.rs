//! The residual stream before each layer.

use ndarray::{Array3, ArrayView3};
use tch::Tensor;

use super::arrays::{ReadPositions, array, double};
use crate::config::Config;
use crate::error::{LensError, Result};
use crate::hook::{Capture, Positions, Site, SiteShape};
use crate::model::Run;

/// The residual stream as it builds up: before each block, and behind the last one.
///
/// In f64, whatever the run's number format.
///
/// ```
/// use hooked_gpt2::hook::Positions;
/// use hooked_gpt2::lens::ResidualStack;
/// # use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, tch::Device};
/// # let checkpoint = Checkpoint::bundled()?;
/// # let (model, _) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
/// # let prompt = Batch::single(checkpoint.tokenizer()?.encode("She was a very happy")?)?;
/// let stack = ResidualStack::new().at(Positions::last()).read(model.run(&prompt))?;
/// for (site, residual) in stack.sites().iter().zip(stack.of(0)?.outer_iter()) {
///     println!("{site} {:.3}", residual.mapv(|x| x * x).sum().sqrt());
/// }
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[derive(Debug, Clone)]
#[doc(alias = "accumulated_resid")]
pub struct ResidualStack {
    sites: Option<Vec<Site>>,
    positions: Positions,
}

impl ResidualStack {
    /// `resid_pre` of each block and `resid_post` of the last one, at every position.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self { sites: None, positions: Positions::all() }
    }

    /// These sites instead, in execution order: any whose axes are those of the residual stream, such as `resid_mid`,
    /// or `mlp_out`, which is no stream but what is added to it.
    pub fn sites(mut self, sites: impl IntoIterator<Item = Site>) -> Self {
        self.sites = Some(sites.into_iter().collect());
        self
    }

    /// Only at these positions.
    pub fn at(mut self, positions: Positions) -> Self {
        self.positions = positions;
        self
    }

    /// Runs the model up to the last of the sites, and stacks.
    ///
    /// # Errors
    /// [`LensError::Site`] for a site with other axes and [`NoSites`](LensError::NoSites) for none,
    /// [`PositionOutOfRange`](crate::error::SelectionError::PositionOutOfRange), and those of [`Run::execute`].
    pub fn read(&self, run: Run<'_>) -> Result<StackedResiduals> {
        let sites = residual_sites(self.sites.as_deref(), run.model().config())?;
        let positions = ReadPositions::new(&self.positions, run.batch())?;
        let captures = captures(&sites, &self.positions);
        let kept = run.capture(&captures).without_logits().execute()?.activations;
        let mut stacks = Vec::with_capacity(positions.n_sequences());
        for (sequence, _) in positions.iter() {
            let of = |capture| double(&kept.get(capture, sequence)?);
            let residuals = captures.iter().map(of).collect::<Result<Vec<_>>>()?;
            stacks.push(array(&Tensor::f_stack(&residuals, 0)?)?);
        }
        Ok(StackedResiduals { sites, positions, stacks })
    }
}

/// The sites that a lens reads: those asked for in execution order, or else the stream before each block and behind
/// the last one.
pub(super) fn residual_sites(asked: Option<&[Site]>, config: &Config) -> Result<Vec<Site>> {
    let Some(asked) = asked else {
        let last = config.n_layers.checked_sub(1).map(Site::resid_post);
        return Ok((0..config.n_layers).map(Site::resid_pre).chain(last).collect());
    };
    let mut sites = asked.to_vec();
    sites.sort_unstable();
    sites.dedup();
    if sites.is_empty() {
        return Err(LensError::NoSites.into());
    }
    for &site in &sites {
        config.check_site(site)?;
        if site.shape() != SiteShape::Residual {
            let allowed = "those whose axes are [batch, pos, d_model]";
            return Err(LensError::Site { site, allowed }.into());
        }
    }
    Ok(sites)
}

/// What has to be captured of them.
pub(super) fn captures(sites: &[Site], positions: &Positions) -> Vec<Capture> {
    sites.iter().map(|&site| Capture::new(site).positions(positions.clone())).collect()
}

/// Residual streams of a run.
#[derive(Debug, Clone)]
pub struct StackedResiduals {
    sites: Vec<Site>,
    positions: ReadPositions,
    stacks: Vec<Array3<f64>>,
}

impl StackedResiduals {
    /// Where they were read, in execution order.
    pub fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// The positions of one sequence that were read.
    ///
    /// # Errors
    /// [`NoSuchSequence`](crate::error::BatchError::NoSuchSequence).
    pub fn positions(&self, sequence: usize) -> Result<&[usize]> {
        self.positions.of(sequence)
    }

    /// The streams of one sequence.
    ///
    /// # Shapes
    /// - result: `[site, position, d_model]`
    ///
    /// # Errors
    /// [`NoSuchSequence`](crate::error::BatchError::NoSuchSequence).
    pub fn of(&self, sequence: usize) -> Result<ArrayView3<'_, f64>> {
        self.positions.of(sequence)?;
        Ok(self.stacks[sequence].view())
    }
}
