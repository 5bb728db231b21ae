//! How far an intervention moves what comes after it.

use ndarray::{Array3, ArrayD, ArrayViewD, Dimension, IxDyn, indices};
use tch::{Kind, Tensor};

use super::arrays::double;
use super::read_at::{Places, ReadAt, ReadPositions};
use crate::batch::Batch;
use crate::config::Config;
use crate::error::{LensError, Result};
use crate::hook::{Positions, Site, SiteShape};
use crate::model::Run;
use crate::scalar::{numbers, scalar};
use crate::sweep::{Axis, Sweep, Variants};

/// How far what comes after an intervention lies from the clean run: norms and cosines, by layer and position.
///
/// ```text
/// norm = ‖x‖     change = ‖x - clean‖     cosine = x · clean / (‖x‖ ‖clean‖)
/// ```
///
/// At each site and position `x` is one vector: of a site with heads those of all heads one after the other; of attention,
/// what a query gives all keys, where a key that it does not see has 0. A cosine with a vector of zeros is NaN. What an
/// intervention cannot reach has a change of exactly 0. In f64, whatever the run's number format.
///
/// ```
/// use hooked_gpt2::hook::{At, Positions};
/// use hooked_gpt2::intervention::Interventions;
/// use hooked_gpt2::lens::Downstream;
/// # use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, tch::Device};
/// # let checkpoint = Checkpoint::bundled()?;
/// # let (model, _) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
/// # let prompt = Batch::single(checkpoint.tokenizer()?.encode("She was a very happy")?)?;
/// let mut hooks = Interventions::new();
/// hooks.zero(At::attn_out(4).positions(Positions::at(2)));
///
/// let drift = Downstream::new().read(model.run(&prompt), model.run(&prompt).hooks(&hooks))?;
/// let (changes, cosines) = (drift.changes(), drift.cosines()); // [site, sequence, position]
/// println!("behind layer 7 {:.3}, cosine {:.4}", changes[[7, 0, 4]], cosines[[7, 0, 4]]);
/// # assert_eq!((changes[[3, 0, 4]], changes[[7, 0, 1]]), (0.0, 0.0));
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Downstream {
    read_at: ReadAt,
}

impl Downstream {
    /// `resid_post` of every block, at every position: the number of the site is that of the layer.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self { read_at: ReadAt::EVERYWHERE }
    }

    /// Any sites instead, in execution order.
    pub fn sites(mut self, sites: impl IntoIterator<Item = Site>) -> Self {
        self.read_at.sites = Some(sites.into_iter().collect());
        self
    }

    /// Only at these positions.
    pub fn at(mut self, positions: Positions) -> Self {
        self.read_at.positions = positions;
        self
    }

    /// Runs both, and compares the second with the first: the same model and batch with hooks, or another batch whose
    /// sequences are read at the same positions. The last positions of texts that are not equally long are refused.
    ///
    /// # Errors
    /// [`OtherBatch`](LensError::OtherBatch), [`OtherPositions`](LensError::OtherPositions) and
    /// [`OtherShape`](LensError::OtherShape) for runs that cannot be compared,
    /// [`NoSites`](LensError::NoSites), [`SelectionError`](crate::error::SelectionError) for sites and positions that
    /// are not there, and those of [`Run::execute`].
    pub fn read(&self, clean: Run<'_>, changed: Run<'_>) -> Result<Drift> {
        let places = self.places(clean.model().config(), clean.batch())?;
        let (of_clean, of_changed) =
            (clean.batch().sequences().len(), changed.batch().sequences().len());
        if of_clean != of_changed {
            return Err(LensError::OtherBatch { clean: of_clean, changed: of_changed }.into());
        }
        let of_changed = ReadPositions::new(&self.read_at.positions, changed.batch())?;
        places.positions.check_same(&of_changed)?;
        let execute = |run: Run<'_>| -> Result<_> {
            Ok(run.capture(&places.captures).without_logits().execute()?.activations)
        };
        let (clean, changed) = (execute(clean)?, execute(changed)?);
        let mut drift = Drift::new(Vec::new(), &places);
        for (number, capture) in places.captures.iter().enumerate() {
            for sequence in 0..of_clean {
                let vectors = |kept: &crate::dispatch::Activations| {
                    vectors(places.sites[number], &kept.get(capture, sequence)?)
                };
                let (clean, changed) = (vectors(&clean)?, vectors(&changed)?);
                drift.take_clean(number, sequence, &clean)?;
                drift.take(&[], number, sequence, &clean, &changed)?;
            }
        }
        Ok(drift)
    }

    /// Runs a sweep, and compares every variant with its base: all but [`clean_norms`](Drift::clean_norms) has the axes of
    /// the variants before those of [`read`](Self::read).
    ///
    /// All variants' vectors are kept until its end: choose sites and positions where there are many.
    ///
    /// # Errors
    /// Those of [`read`](Self::read), of [`Sweep::plan`] and of [`Plan::read`](crate::sweep::Plan::read).
    pub fn sweep<'a>(&self, sweep: Sweep<'a>, variants: &'a Variants) -> Result<Drift> {
        let places = self.places(sweep.model().config(), sweep.batch())?;
        let results = sweep.capture(&places.captures).plan(variants)?.read(|_| Ok(()))?;
        let mut drift = Drift::new(variants.axes().to_vec(), &places);
        let points: Vec<usize> = variants.axes().iter().map(Axis::len).collect();
        for (number, capture) in places.captures.iter().enumerate() {
            let site = places.sites[number];
            for sequence in 0..places.positions.n_sequences() {
                let clean = vectors(site, &results.captured_of_base(capture, sequence)?)?;
                drift.take_clean(number, sequence, &clean)?;
                for point in indices(IxDyn(&points)) {
                    let index: Vec<usize> = point.slice().to_vec();
                    let changed = results.captured(capture, &index, sequence)?;
                    let changed = vectors(site, &changed)?;
                    drift.take(&index, number, sequence, &clean, &changed)?;
                }
            }
        }
        Ok(drift)
    }

    /// What is read of a run, or of a sweep's base.
    fn places(&self, config: &Config, batch: &Batch) -> Result<Places> {
        self.read_at.places((0..config.n_layers).map(Site::resid_post), config, batch)
    }
}

/// One vector for each position, `[pos, …]`, in f64.
fn vectors(site: Site, captured: &Tensor) -> Result<Tensor> {
    let captured = double(captured)?;
    let by_position = match site.shape() {
        SiteShape::Attention => captured.f_transpose(0, 1)?,
        _ => captured,
    };
    let vectors = by_position.f_flatten(1, -1)?;
    // Scores behind the causal mask.
    let zero = scalar(0.0, &vectors)?;
    Ok(vectors.f_masked_fill_tensor(&vectors.f_isneginf()?, &zero)?)
}

/// How far a run, or each variant of a sweep, lies from the clean one.
#[derive(Debug, Clone)]
pub struct Drift {
    axes: Vec<Axis>,
    places: Places,
    norms: ArrayD<f64>,
    changes: ArrayD<f64>,
    cosines: ArrayD<f64>,
    clean_norms: Array3<f64>,
}

impl Drift {
    fn new(mut axes: Vec<Axis>, places: &Places) -> Self {
        let Places { sites, positions, .. } = places;
        let shape = (sites.len(), positions.n_sequences(), positions.most());
        axes.push(Axis::new("site", sites));
        axes.push(Axis::counting("sequence", shape.1));
        axes.push(Axis::counting("position", shape.2));
        let lengths: Vec<usize> = axes.iter().map(Axis::len).collect();
        let nan = || ArrayD::from_elem(IxDyn(&lengths), f64::NAN);
        let clean_norms = Array3::from_elem(shape, f64::NAN);
        let places = places.clone();
        Self { axes, places, norms: nan(), changes: nan(), cosines: nan(), clean_norms }
    }

    fn take_clean(&mut self, site: usize, sequence: usize, clean: &Tensor) -> Result<()> {
        for (position, norm) in numbers(&norms(clean)?)?.into_iter().enumerate() {
            self.clean_norms[[site, sequence, position]] = norm;
        }
        Ok(())
    }

    fn take(
        &mut self,
        point: &[usize],
        site: usize,
        sequence: usize,
        clean: &Tensor,
        changed: &Tensor,
    ) -> Result<()> {
        if clean.size() != changed.size() {
            let shape = |x: &Tensor| x.size().iter().map(|&len| len as usize).collect();
            let (clean, changed) = (shape(clean), shape(changed));
            let site = self.sites()[site];
            return Err(LensError::OtherShape { site, sequence, clean, changed }.into());
        }
        let dot = clean.f_mul(changed)?.f_sum_dim_intlist(-1, false, None::<Kind>)?;
        // One root of the product: of a vector with itself it gives back the sum, and a cosine of exactly 1.
        let squares = |x: &Tensor| x.f_square()?.f_sum_dim_intlist(-1, false, None::<Kind>);
        let lengths = squares(clean)?.f_mul(&squares(changed)?)?.f_sqrt()?;
        let change = norms(&changed.f_sub(clean)?)?;
        let (norm, change) = (numbers(&norms(changed)?)?, numbers(&change)?);
        let cosine = numbers(&dot.f_div(&lengths)?)?;
        for position in 0..norm.len() {
            let index = IxDyn(&[point, &[site, sequence, position]].concat());
            self.norms[&index] = norm[position];
            self.changes[&index] = change[position];
            // Roundings may lift it above that; NaN stays NaN.
            self.cosines[&index] = cosine[position].clamp(-1.0, 1.0);
        }
        Ok(())
    }

    /// The axes of all values: those of a sweep's variants, if it was one; then `site`, `sequence` and `position`, the
    /// number among the positions that were read.
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// Where the runs were compared, in execution order.
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

    /// The norms with the intervention, in [these axes](Self::axes). NaN where a sequence has fewer positions than
    /// others.
    pub fn norms(&self) -> ArrayViewD<'_, f64> {
        self.norms.view()
    }

    /// The norms of what the intervention changed, in [these axes](Self::axes).
    pub fn changes(&self) -> ArrayViewD<'_, f64> {
        self.changes.view()
    }

    /// The cosines with the clean run, in [these axes](Self::axes).
    pub fn cosines(&self) -> ArrayViewD<'_, f64> {
        self.cosines.view()
    }

    /// The norms of the clean run, of a sweep those of its base: without the axes of variants. NaN where a sequence has
    /// fewer positions than others.
    ///
    /// # Shapes
    /// - result: `[site, sequence, position]`
    pub fn clean_norms(&self) -> &Array3<f64> {
        &self.clean_norms
    }
}

fn norms(vectors: &Tensor) -> Result<Tensor> {
    Ok(vectors.f_square()?.f_sum_dim_intlist(-1, false, None::<Kind>)?.f_sqrt()?)
}
