//! Directions between two sets of prompts, and whether they are any good.

use std::fmt;

use ndarray::{Array1, Array2, ArrayView2, Axis};
use tch::{Kind, Tensor};

use crate::analysis::correlation::cosine_similarity;
use crate::analysis::separation::{Group, Separation};
use crate::batch::Batch;
use crate::error::{CaptureError, Error, LensError, Result, SelectionError};
use crate::hook::{Capture, CaptureKey};
use crate::model::Gpt2;
use crate::scalar::numbers;
use crate::site::SiteShape;

/// Prompts that are run at a time.
const AT_A_TIME: usize = 32;

/// The mean difference between the activations of two sets of prompts: contrastive activation addition (Rimsky et al.,
/// "Steering Llama 2 via Contrastive Activation Addition", 2023), difference-in-means (Arditi et al., "Refusal in Language
/// Models Is Mediated by a Single Direction", 2024); of one prompt each, activation addition (Turner et al. 2023).
///
/// ```text
/// direction = mean(a_i) - mean(b_j)
/// ```
///
/// A prompt's activation, `a_i` or `b_j`, is the vector that is captured of it, or the mean of those at several positions.
/// Everything is computed in f64; the direction is rounded to the model's format.
///
/// ```
/// # use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision};
/// use hooked_gpt2::hook::{At, Capture, Positions, Site};
/// use hooked_gpt2::intervention::Interventions;
/// use hooked_gpt2::lens::SteeringVector;
/// # let checkpoint = Checkpoint::bundled()?;
/// # let (model, _) = Gpt2::load(&checkpoint, Precision::F32, tch::Device::Cpu)?;
/// # let tokenizer = checkpoint.tokenizer()?;
/// # let batch = |texts: [&str; 2]| -> hooked_gpt2::Result<Batch> {
/// #     Batch::new(texts.iter().map(|text| tokenizer.encode(text)).collect::<hooked_gpt2::Result<Vec<_>>>()?)
/// # };
///
/// let women = batch(["She was a good woman", "The old woman was her mother"])?;
/// let men = batch(["He was a good man", "The old man was his father"])?;
/// let last = Capture::new(Site::resid_post(5)).positions(Positions::last());
/// let vector = SteeringVector::of_pairs(&model, &last, &women, &men)?;
/// println!("{vector}");
/// let (mut more, mut none) = (Interventions::new(), Interventions::new());
/// more.steer(At::resid_post(5), &vector.direction, 2.0)?;
/// none.project_out(At::resid_post(5), &vector.direction)?;
/// # for hooks in [more, none] { model.run(&men).hooks(&hooks).execute()?; }
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct SteeringVector {
    /// The direction, of the model's kind and on its device.
    ///
    /// # Shapes
    /// - `[d_model]`, `[d_head]`, `[d_mlp]` or `[d_vocab]`, by the site
    pub direction: Tensor,
    /// The direction's L2 norm.
    pub norm: f64,
    /// The projections of the prompts' activations onto the direction of length 1, `a_i · d / |d|`: `high` are those
    /// towards which it points.
    ///
    /// Of the very prompts that the direction was made of: in so many dimensions, few prompts are apart whatever they
    /// mean. What it is worth on others, [`separation_of`](Self::separation_of) says. A set of a single prompt has no
    /// standard deviation, and no d′ with it.
    pub separation: Separation,
    /// The cosine of each pair's difference, `a_i - b_i`, with the direction: `Some` of [`of_pairs`](Self::of_pairs),
    /// `None` of [`of_sets`](Self::of_sets), which has no pairs. Near 1 if all pairs differ alike.
    pub cosines: Option<Array1<f64>>,
    capture: Capture,
    unit: Array1<f64>,
}

impl SteeringVector {
    /// The direction from `away_from` to `towards`, whose prompts are pairs: the first of one with the first of the other.
    ///
    /// # Errors
    /// Those of [`of_sets`](Self::of_sets), [`PairCount`](LensError::PairCount), and [`EqualPair`](LensError::EqualPair).
    pub fn of_pairs(
        model: &Gpt2,
        capture: &Capture,
        towards: &Batch,
        away_from: &Batch,
    ) -> Result<Self> {
        let (given, other) = (towards.sequences().len(), away_from.sequences().len());
        if given != other {
            return Err(LensError::PairCount { towards: given, away_from: other }.into());
        }
        // Of the same tokens, only roundings would differ.
        let mut pairs = towards.sequences().iter().zip(away_from.sequences());
        if let Some(pair) = pairs.position(|(towards, away_from)| towards == away_from) {
            return Err(LensError::EqualPair { pair }.into());
        }
        let (towards, away_from) =
            (activations(model, capture, towards)?, activations(model, capture, away_from)?);
        let mut vector = Self::between(model, capture, towards.view(), away_from.view())?;
        let differences = &towards - &away_from;
        let cosines = differences.outer_iter().enumerate().map(|(pair, difference)| {
            if difference.iter().all(|&number| number == 0.0) {
                return Err(LensError::EqualPair { pair }.into());
            }
            cosine_similarity(difference, vector.unit.view())
        });
        vector.cosines = Some(cosines.collect::<Result<_>>()?);
        Ok(vector)
    }

    /// The direction from the mean over `away_from` to that over `towards`, sets of any sizes.
    ///
    /// `capture` says where: a site with a vector at each position, of one head if it has heads, at the last position, at
    /// given ones, or at all.
    ///
    /// # Errors
    /// Those of [`Run::execute`](crate::Run::execute), [`NotAVector`](LensError::NotAVector) before anything is run,
    /// [`NoDirection`](LensError::NoDirection) if both means are the same, and
    /// [`DirectionOutOfRange`](LensError::DirectionOutOfRange) if they are infinite or too far apart for the model's
    /// numbers.
    pub fn of_sets(
        model: &Gpt2,
        capture: &Capture,
        towards: &Batch,
        away_from: &Batch,
    ) -> Result<Self> {
        let (towards, away_from) =
            (activations(model, capture, towards)?, activations(model, capture, away_from)?);
        Self::between(model, capture, towards.view(), away_from.view())
    }

    /// How the direction tells other prompts apart, by their projections as in [`separation`](Self::separation).
    ///
    /// # Errors
    /// Those of [`Run::execute`](crate::Run::execute).
    pub fn separation_of(
        &self,
        model: &Gpt2,
        towards: &Batch,
        away_from: &Batch,
    ) -> Result<Separation> {
        let project = |batch| -> Result<Array1<f64>> {
            Ok(activations(model, &self.capture, batch)?.dot(&self.unit))
        };
        Separation::of(project(towards)?.view(), project(away_from)?.view())
    }

    fn between(
        model: &Gpt2,
        capture: &Capture,
        towards: ArrayView2<'_, f64>,
        away_from: ArrayView2<'_, f64>,
    ) -> Result<Self> {
        let mean = |set: ArrayView2<'_, f64>| set.sum_axis(Axis(0)) / set.nrows() as f64;
        let direction = mean(towards) - mean(away_from);
        let kind = model.precision().kind();
        let limit = match kind {
            Kind::Float => f64::from(f32::MAX),
            // With a norm that f64 can hold.
            _ => f64::MAX / direction.len() as f64,
        };
        let is_allowed = |number: &f64| number.abs() <= limit;
        if let Some(index) = direction.iter().position(|number| !is_allowed(number)) {
            let given = direction[index];
            return Err(LensError::DirectionOutOfRange { index, given, limit }.into());
        }
        let largest = direction.fold(0.0_f64, |largest, number| largest.max(number.abs()));
        if largest == 0.0 {
            return Err(LensError::NoDirection.into());
        }
        // Squares of the largest and of the smallest numbers leave their range.
        let unit = &direction / largest;
        let norm = unit.dot(&unit).sqrt();
        let (unit, norm) = (unit / norm, largest * norm);
        let separation = Separation::of(towards.dot(&unit).view(), away_from.dot(&unit).view())?;
        let direction: Vec<f64> = direction.into_iter().collect();
        let direction =
            Tensor::f_from_slice(&direction)?.f_to_kind(kind)?.f_to_device(model.device())?;
        let capture = capture.clone();
        Ok(Self { direction, norm, separation, cosines: None, capture, unit })
    }
}

/// The activation of each prompt, `[prompt, width]`.
fn activations(model: &Gpt2, capture: &Capture, prompts: &Batch) -> Result<Array2<f64>> {
    check_vector(capture)?;
    prompts.check(model.config())?;
    let mut rows = Vec::new();
    for some in prompts.sequences().chunks(AT_A_TIME) {
        let batch = Batch::new(some.iter().cloned())?;
        let run = model.run(&batch).capture([capture]).without_logits().execute();
        let kept = run.map_err(|error| among_all(error, rows.len()))?.activations;
        for sequence in 0..some.len() {
            let kept = kept.get(capture, sequence)?; // [pos, width], or [pos, 1, width]
            let width = kept.size().last().map_or(0, |&width| width as usize);
            let by_position = numbers(&kept)?;
            let positions = by_position.len() / width;
            let by_position = Array2::from_shape_vec((positions, width), by_position);
            let by_position = by_position.map_err(|error| Error::Bug(error.to_string()))?;
            rows.push(by_position.sum_axis(Axis(0)) / positions as f64);
        }
    }
    let rows: Vec<_> = rows.iter().map(|row| row.view()).collect();
    ndarray::stack(Axis(0), &rows).map_err(|error| Error::Bug(error.to_string()))
}

/// The error with the number that a prompt has among all, of which those before `first` are not in the run.
fn among_all(error: Error, first: usize) -> Error {
    match error {
        Error::Capture(CaptureError::Refused { site, capture, reason }) => {
            let reason = Box::new(among_all(*reason, first));
            CaptureError::Refused { site, capture, reason }.into()
        }
        Error::Selection(SelectionError::PositionOutOfRange { given, sequence, len }) => {
            let sequence = first + sequence;
            SelectionError::PositionOutOfRange { given, sequence, len }.into()
        }
        other => other,
    }
}

/// Checks that there is one vector at each position.
fn check_vector(capture: &Capture) -> Result<()> {
    let spec = capture.spec();
    let has_one = match spec.site().shape() {
        SiteShape::Attention | SiteShape::PerPosition => false,
        SiteShape::HeadVector | SiteShape::HeadResidual => {
            spec.heads().is_some_and(|heads| heads.len() == 1)
        }
        _ => true,
    };
    if has_one { Ok(()) } else { Err(LensError::NotAVector { capture: spec.to_string() }.into()) }
}

/// Where it is from, its norm, the projections of both sets, and how far they are apart.
impl fmt::Display for SteeringVector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Separation { high, low, d_prime, auroc } = self.separation;
        writeln!(f, "mean difference at {}, norm {:.4}", self.capture.spec(), self.norm)?;
        for (name, Group { count, mean, std }) in [("towards", high), ("away from", low)] {
            write!(f, "{name:<10} {count:>4} prompts, projection {mean:.4}")?;
            match std {
                Some(std) => writeln!(f, " ± {std:.4}")?,
                None => writeln!(f)?,
            }
        }
        write!(f, "AUROC {auroc:.3}")?;
        if let Some(d_prime) = d_prime {
            write!(f, ", d′ {d_prime:.3}")?;
        }
        if let Some(cosines) = &self.cosines {
            let least = cosines.iter().copied().fold(f64::INFINITY, f64::min);
            let mean = cosines.sum() / cosines.len() as f64;
            write!(f, ", cosine of the pairs {mean:.3} on average, {least:.3} at least")?;
        }
        Ok(())
    }
}
