//! Logits as sums.

use ndarray::{Array1, Array2, Array3, ArrayView2, ArrayView3, Axis, Ix1, s};
use tch::{Kind, Tensor};

use super::answers::Answers;
use super::arrays::{array, double};
use super::component::{Component, number_of};
use super::parts::{Parts, Stream, Sum};
use super::read_at::ReadPositions;
use crate::error::{Error, LensError, Result, SelectionError};
use crate::hook::{Positions, Site};
use crate::model::{Gpt2, Logits, Parameter, Run};
use crate::scalar::scalar;

/// Direct logit attribution: what each part of the last residual stream adds to a logit, or to a difference of logits
/// (Elhage et al. 2021; Wang et al. 2022).
///
/// With `d` the mean unembedding of the right answers less that of the wrong ones, `γ` and `β` the gain and the bias of
/// the final layer norm, and its divisor kept as it was in the run,
///
/// ```text
/// d = mean(W_U[:, right]) - mean(W_U[:, wrong])       scale = sqrt(var(resid) + eps)
/// attribution of a part c  =  ((c - mean(c)) / scale · γ) · d        of ln_final.bias  =  β · d
/// ```
///
/// so that the attributions of all parts sum to the mean logit of the right answers less that of the wrong ones, up to the
/// roundings of the run. A divisor that is kept belongs to no part: what a part would do to the logits by changing it is
/// not told, nor what it does through later blocks.
///
/// Where hooks changed the stream, the final layer norm or the logits otherwise than in one of the parts, there is one
/// part more, [`Edits`](Component::Edits): what the others lack. A run that skips a block is refused.
///
/// In f64, whatever the run's number format.
///
/// ```
/// use hooked_gpt2::analysis::uncertainty::bootstrap_mean;
/// use hooked_gpt2::lens::{Component, LogitAttribution};
/// # use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, tch::Device};
/// # let checkpoint = Checkpoint::bundled()?;
/// # let (model, _) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
/// # let tokenizer = checkpoint.tokenizer()?;
/// let prompts = ["She was a very happy", "He was a tall young"].map(|text| tokenizer.encode(text));
/// let prompts = Batch::new(prompts.into_iter().collect::<Result<Vec<_>, _>>()?)?;
/// let [woman, man] = [tokenizer.single_token(" woman")?, tokenizer.single_token(" man")?];
///
/// // Each prompt its own right and wrong answer.
/// let attribution = LogitAttribution::of_each([(woman, man), (man, woman)]);
/// let attributed = attribution.read(model.run(&prompts))?;
/// let head = attributed.of(Component::Head { layer: 5, head: 1 })?; // [sequence, position]
/// let interval = bootstrap_mean(head.column(0), 0.95, 10_000, 0)?;
/// println!("{:+.3}, {:+.3} to {:+.3}", interval.mean, interval.low, interval.high);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[derive(Debug, Clone)]
#[doc(alias("DLA", "logit_attrs", "direct_logit_attribution"))]
pub struct LogitAttribution {
    answers: Given,
    parts: Parts,
    positions: Positions,
}

#[derive(Debug, Clone)]
enum Given {
    Shared(Answers),
    Each(Vec<Answers>),
}

impl LogitAttribution {
    /// Of the same answers in every sequence: a token, a pair of a right and a wrong one, or [`Answers`]. By heads, at
    /// the last position, unless said otherwise.
    pub fn of(answers: impl Into<Answers>) -> Self {
        Self::new(Given::Shared(answers.into()))
    }

    /// Of answers of its own for each sequence.
    pub fn of_each(answers: impl IntoIterator<Item = impl Into<Answers>>) -> Self {
        Self::new(Given::Each(answers.into_iter().map(Into::into).collect()))
    }

    fn new(answers: Given) -> Self {
        Self { answers, parts: Parts::Heads, positions: Positions::last() }
    }

    /// To these parts.
    pub fn parts(mut self, parts: Parts) -> Self {
        self.parts = parts;
        self
    }

    /// At these positions of each sequence: the logits of what follows them.
    pub fn at(mut self, positions: Positions) -> Self {
        self.positions = positions;
        self
    }

    /// Runs the model, and attributes.
    ///
    /// # Errors
    /// [`OneForEach`](LensError::OneForEach) and [`NoRightAnswer`](LensError::NoRightAnswer),
    /// [`TokenOutOfRange`](crate::error::BatchError::TokenOutOfRange),
    /// [`PositionOutOfRange`](crate::error::SelectionError::PositionOutOfRange), and those of [`Run::execute`].
    pub fn read(&self, run: Run<'_>) -> Result<Attributed> {
        let Self { parts, ref positions, .. } = *self;
        let (model, batch) = (run.model(), run.batch());
        let config = model.config();
        let n_sequences = batch.sequences().len();
        let weights = self.weights(n_sequences, config.d_vocab)?;
        let run = run.unembed(positions.clone());
        let sum = Sum::of(run, Stream::last(config), parts, positions)?;
        let Sum { output, read, .. } = &sum;

        let directions = Directions::new(model, &weights)?;
        let changes_logits = |site: Site| site >= Site::ln_final_scale();
        let mut entries = output.ledger.entries().iter();
        let is_edited = sum.is_edited()
            || entries.any(|entry| entry.change_l2 != 0.0 && changes_logits(entry.site));
        let mut components = sum.components();
        components.push(Component::FinalBias);
        components.extend(is_edited.then_some(Component::Edits));
        let shape = (components.len(), n_sequences, read.most());
        let mut values = Array3::from_elem(shape, f64::NAN);
        let mut total = Array2::from_elem((n_sequences, read.most()), f64::NAN);
        let each = sum.parts(|sequence, x| Ok(x.f_matmul(&directions.read[sequence])?))?;
        for (sequence, parts) in each.into_iter().enumerate() {
            let scale = scale(&sum.whole(sequence)?, config.layer_norm_epsilon)?;
            let parts: Array2<f64> = array(&parts.f_div(&scale)?.f_squeeze_dim(-1)?)?;
            let logits = logits(&output.logits, sequence, read.of(sequence)?, &weights[sequence])?;
            for (number, &logit) in logits.iter().enumerate() {
                total[[sequence, number]] = logit;
                let mut column = values.slice_mut(s![.., sequence, number]);
                let summed = parts.column(number).sum() + directions.bias[sequence];
                let rest = [directions.bias[sequence], logit - summed];
                let all = parts.column(number).into_iter().chain(&rest);
                column.iter_mut().zip(all).for_each(|(value, &part)| *value = part);
            }
        }
        Ok(Attributed { components, positions: read.clone(), values, total })
    }

    /// What each sequence's logits are multiplied with.
    fn weights(&self, n_sequences: usize, d_vocab: usize) -> Result<Vec<Vec<(u32, f64)>>> {
        let of = |sequence| match &self.answers {
            Given::Shared(answers) => answers.weights(sequence, d_vocab),
            Given::Each(answers) => answers[sequence].weights(sequence, d_vocab),
        };
        match &self.answers {
            Given::Each(answers) if answers.len() != n_sequences => {
                let (what, given, needed) = ("answers", answers.len(), n_sequences);
                Err(LensError::OneForEach { what, given, needed }.into())
            }
            _ => (0..n_sequences).map(of).collect(),
        }
    }
}

/// What the logits of each sequence's answers read.
struct Directions {
    /// Of the stream, before it is divided: `[d_model, 1]` each.
    read: Vec<Tensor>,
    /// What the bias of the final layer norm adds.
    bias: Vec<f64>,
}

impl Directions {
    fn new(model: &Gpt2, weights: &[Vec<(u32, f64)>]) -> Result<Self> {
        let (w_u, gain, bias) =
            (Parameter::w_u(), Parameter::ln_final_w(), Parameter::ln_final_b());
        let w_u = model.parameter(w_u)?;
        let (gain, bias) = (double(&model.parameter(gain)?)?, double(&model.parameter(bias)?)?);
        let mut directions = Self { read: Vec::new(), bias: Vec::new() };
        for weights in weights {
            let (tokens, weights): (Vec<i64>, Vec<f64>) =
                weights.iter().map(|&(token, weight)| (i64::from(token), weight)).unzip();
            let tokens = Tensor::f_from_slice(&tokens)?.f_to_device(w_u.device())?;
            let unembedded = double(&w_u.f_index_select(1, &tokens)?)?;
            let direction = unembedded.f_matmul(&Tensor::f_from_slice(&weights)?)?;
            let bias: Array1<f64> =
                array::<Ix1>(&bias.f_mul(&direction)?.f_sum(Kind::Double)?.f_view([1])?)?;
            directions.bias.push(bias[0]);
            // The mean that the layer norm takes from a part is taken from the direction, once for all.
            let direction = direction.f_mul(&gain)?;
            let mean = direction.f_mean(Kind::Double)?;
            directions.read.push(direction.f_sub(&mean)?.f_unsqueeze(-1)?);
        }
        Ok(directions)
    }
}

/// The divisor of the final layer norm, `[pos, 1]`.
fn scale(residual: &Tensor, epsilon: f64) -> Result<Tensor> {
    let mean = |x: &Tensor| x.f_mean_dim(-1, true, None::<Kind>);
    let variance = mean(&residual.f_sub(&mean(residual)?)?.f_square()?)?;
    Ok(variance.f_add(&scalar(epsilon, &variance)?)?.f_sqrt()?)
}

/// What the run's logits say of the answers, at each position.
fn logits(
    logits: &Logits,
    sequence: usize,
    positions: &[usize],
    weights: &[(u32, f64)],
) -> Result<Vec<f64>> {
    let at = |&position: &usize| {
        let logits = logits.at(sequence, position)?;
        Ok(weights.iter().map(|&(token, weight)| logits[token as usize] * weight).sum())
    };
    positions.iter().map(at).collect()
}

/// A logit, or a difference of logits, in parts.
#[derive(Debug, Clone)]
pub struct Attributed {
    components: Vec<Component>,
    positions: ReadPositions,
    values: Array3<f64>,
    total: Array2<f64>,
}

impl Attributed {
    /// The parts.
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

    /// What each part adds, in logits. NaN where a sequence has fewer positions than others.
    ///
    /// # Shapes
    /// - result: `[component, sequence, position]`
    pub fn values(&self) -> ArrayView3<'_, f64> {
        self.values.view()
    }

    /// What one part adds, in logits.
    ///
    /// # Shapes
    /// - result: `[sequence, position]`
    ///
    /// # Errors
    /// [`NoSuchPart`](LensError::NoSuchPart).
    pub fn of(&self, component: Component) -> Result<ArrayView2<'_, f64>> {
        let number = number_of(component, &self.components)?;
        Ok(self.values.index_axis(Axis(0), number))
    }

    /// What the parts sum to: the run's own logit, or difference of logits.
    ///
    /// # Shapes
    /// - result: `[sequence, position]`
    pub fn total(&self) -> ArrayView2<'_, f64> {
        self.total.view()
    }

    /// What each head adds to one sequence's logit at one of the positions that were read, by its number among them.
    ///
    /// # Shapes
    /// - result: `[layer, head]`
    ///
    /// # Errors
    /// [`NotAsked`](LensError::NotAsked) unless it was attributed to heads or neurons,
    /// [`NoSuchSequence`](crate::error::BatchError::NoSuchSequence) and
    /// [`IndexOutOfRange`](SelectionError::IndexOutOfRange).
    pub fn heads(&self, sequence: usize, position: usize) -> Result<Array2<f64>> {
        let len = self.positions.of(sequence)?.len();
        if position >= len {
            let (axis, given) = ("position", position);
            return Err(SelectionError::IndexOutOfRange { axis, given, len }.into());
        }
        let column = self.values.slice(s![.., sequence, position]);
        let is_head =
            |(component, _): &(&Component, &f64)| matches!(component, Component::Head { .. });
        let heads: Vec<f64> =
            self.components.iter().zip(column).filter(is_head).map(|(_, &value)| value).collect();
        let is_last = |component: &&Component| matches!(component, Component::AttentionBias { .. });
        let n_layers = self.components.iter().filter(is_last).count();
        if n_layers == 0 {
            let (what, by) = ("the attribution to heads", "parts(Parts::Heads)");
            return Err(LensError::NotAsked { what, by }.into());
        }
        let heads = Array2::from_shape_vec((n_layers, heads.len() / n_layers), heads);
        heads.map_err(|error| Error::Bug(error.to_string()))
    }
}
