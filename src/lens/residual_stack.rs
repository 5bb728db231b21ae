//! The residual stream before each layer.

use ndarray::{Array3, ArrayView3};
use tch::Tensor;

use super::arrays::{array, double};
use super::read_at::{Places, ReadAt};
use crate::error::Result;
use crate::hook::{Positions, Site};
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
    read_at: ReadAt,
}

impl ResidualStack {
    /// `resid_pre` of each block and `resid_post` of the last one, at every position.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self { read_at: ReadAt::EVERYWHERE }
    }

    /// These sites instead, in execution order: any whose axes are those of the residual stream, such as `resid_mid`,
    /// or `mlp_out`, which is no stream but what is added to it.
    pub fn sites(mut self, sites: impl IntoIterator<Item = Site>) -> Self {
        self.read_at.sites = Some(sites.into_iter().collect());
        self
    }

    /// Only at these positions.
    pub fn at(mut self, positions: Positions) -> Self {
        self.read_at.positions = positions;
        self
    }

    /// Runs the model up to the last of the sites, and stacks.
    ///
    /// # Errors
    /// [`LensError::Site`](crate::error::LensError::Site) for a site with other axes,
    /// [`NoSites`](crate::error::LensError::NoSites) for none,
    /// [`PositionOutOfRange`](crate::error::SelectionError::PositionOutOfRange), and those of [`Run::execute`].
    pub fn read(&self, run: Run<'_>) -> Result<StackedResiduals> {
        let places = self.read_at.streams(run.model().config(), run.batch())?;
        let kept = run.capture(&places.captures).without_logits().execute()?.activations;
        let stack = |sequence| {
            let of = |capture| double(&kept.get(capture, sequence)?);
            let residuals = places.captures.iter().map(of).collect::<Result<Vec<_>>>()?;
            array(&Tensor::f_stack(&residuals, 0)?)
        };
        let stacks = (0..places.positions.n_sequences()).map(stack).collect::<Result<_>>()?;
        Ok(StackedResiduals { places, stacks })
    }
}

/// Residual streams of a run.
#[derive(Debug, Clone)]
pub struct StackedResiduals {
    places: Places,
    stacks: Vec<Array3<f64>>,
}

impl StackedResiduals {
    /// Where they were read, in execution order.
    pub fn sites(&self) -> &[Site] {
        &self.places.sites
    }

    /// The positions of one sequence that were read.
    ///
    /// # Errors
    /// [`NoSuchSequence`](crate::error::BatchError::NoSuchSequence).
    pub fn positions(&self, sequence: usize) -> Result<&[usize]> {
        self.places.positions.of(sequence)
    }

    /// The streams of one sequence.
    ///
    /// # Shapes
    /// - result: `[site, position, d_model]`
    ///
    /// # Errors
    /// [`NoSuchSequence`](crate::error::BatchError::NoSuchSequence).
    pub fn of(&self, sequence: usize) -> Result<ArrayView3<'_, f64>> {
        self.positions(sequence)?;
        Ok(self.stacks[sequence].view())
    }
}
