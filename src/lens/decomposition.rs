//! The residual stream as a sum.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis};

use super::arrays::array;
use super::component::{Component, number_of};
use super::parts::{Parts, Stream, Sum};
use super::read_at::ReadPositions;
use crate::error::Result;
use crate::hook::{Positions, Site};
use crate::model::Run;

/// The residual stream, decomposed into what is added to it.
///
/// ```text
/// resid = embed + pos_embed + Σ_l (Σ_h z_lh W_O[l, h] + b_O[l]) + Σ_l (Σ_n post_ln W_out[l, n] + b_out[l])
/// ```
///
/// over the blocks before the place that is asked for: every term is a part (Elhage et al., "A Mathematical Framework
/// for Transformer Circuits", 2021). Parts sum to the stream up to the roundings of the run. Where hooks changed the
/// stream otherwise than in one of the parts, such as at `resid_post`, there is one part more,
/// [`Edits`](Component::Edits): what the others lack. A run that skips a block has no such parts and is refused.
///
/// In f64, whatever the run's number format. By neurons it is large: in GPT-2 small 37,000 parts, which take 226 MB
/// for each position.
///
/// ```
/// use hooked_gpt2::hook::Positions;
/// use hooked_gpt2::lens::{Decomposition, Parts};
/// # use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, tch::Device};
/// # let checkpoint = Checkpoint::bundled()?;
/// # let (model, _) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
/// # let prompt = Batch::single(checkpoint.tokenizer()?.encode("She was a very happy")?)?;
/// let decomposed = Decomposition::new(Parts::Heads).at(Positions::last()).read(model.run(&prompt))?;
/// for (component, part) in decomposed.components().iter().zip(decomposed.parts(0)?.outer_iter()) {
///     println!("{component} {:.3}", part.mapv(|x| x * x).sum().sqrt());
/// }
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Decomposition {
    parts: Parts,
    site: Option<Site>,
    positions: Positions,
}

impl Decomposition {
    /// What leaves the last block, at every position, in these parts.
    pub fn new(parts: Parts) -> Self {
        Self { parts, site: None, positions: Positions::all() }
    }

    /// The stream at this place instead: a block's `resid_pre`, `resid_mid` or `resid_post`.
    pub fn site(mut self, site: Site) -> Self {
        self.site = Some(site);
        self
    }

    /// Only at these positions.
    pub fn at(mut self, positions: Positions) -> Self {
        self.positions = positions;
        self
    }

    /// Runs the model up to the place, and decomposes.
    ///
    /// # Errors
    /// [`LensError::Site`](crate::error::LensError::Site) for a site that is no place of the stream,
    /// [`SelectionError`](crate::error::SelectionError) for positions and layers that are not there, and those of
    /// [`Run::execute`].
    #[doc(alias("decompose_resid", "get_full_resid_decomposition", "stack_head_results"))]
    pub fn read(&self, run: Run<'_>) -> Result<Decomposed> {
        let Self { parts, site, ref positions } = *self;
        let config = run.model().config();
        let stream = match site {
            Some(site) => Stream::at(site, config)?,
            None => Stream::last(config),
        };
        let sum = Sum::of(run.without_logits(), stream, parts, positions)?;
        let is_edited = sum.is_edited();
        let mut components = sum.components();
        components.extend(is_edited.then_some(Component::Edits));
        let positions = sum.read.clone();
        let mut decomposed =
            Decomposed { components, positions, parts: Vec::new(), wholes: Vec::new() };
        let each = sum.parts(|_, x| Ok(x.shallow_clone()))?;
        for (sequence, parts) in each.into_iter().enumerate() {
            let whole = sum.whole(sequence)?;
            let parts = if is_edited { Sum::with_edits(&parts, &whole)? } else { parts };
            decomposed.parts.push(array(&parts)?);
            decomposed.wholes.push(array(&whole)?);
        }
        Ok(decomposed)
    }
}

/// A residual stream in parts.
#[derive(Debug, Clone)]
pub struct Decomposed {
    components: Vec<Component>,
    positions: ReadPositions,
    parts: Vec<Array3<f64>>,
    wholes: Vec<Array2<f64>>,
}

impl Decomposed {
    /// The parts, in the order in which they are added.
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// The positions of one sequence that were read.
    ///
    /// # Errors
    /// [`NoSuchSequence`](crate::error::BatchError::NoSuchSequence).
    pub fn positions(&self, sequence: usize) -> Result<&[usize]> {
        self.positions.of(sequence)
    }

    /// What each part of one sequence's stream is.
    ///
    /// # Shapes
    /// - result: `[component, position, d_model]`
    ///
    /// # Errors
    /// [`NoSuchSequence`](crate::error::BatchError::NoSuchSequence).
    pub fn parts(&self, sequence: usize) -> Result<ArrayView3<'_, f64>> {
        self.positions.of(sequence)?;
        Ok(self.parts[sequence].view())
    }

    /// One part of one sequence's stream.
    ///
    /// # Shapes
    /// - result: `[position, d_model]`
    ///
    /// # Errors
    /// [`NoSuchPart`](crate::error::LensError::NoSuchPart) and
    /// [`NoSuchSequence`](crate::error::BatchError::NoSuchSequence).
    pub fn of(&self, component: Component, sequence: usize) -> Result<ArrayView2<'_, f64>> {
        self.positions.of(sequence)?;
        let number = number_of(component, &self.components)?;
        Ok(self.parts[sequence].index_axis(Axis(0), number))
    }

    /// The stream of one sequence, as the run had it.
    ///
    /// # Shapes
    /// - result: `[position, d_model]`
    ///
    /// # Errors
    /// [`NoSuchSequence`](crate::error::BatchError::NoSuchSequence).
    pub fn whole(&self, sequence: usize) -> Result<ArrayView2<'_, f64>> {
        self.positions.of(sequence)?;
        Ok(self.wholes[sequence].view())
    }
}
