//! Neurons that hardly move logits against each other, by their weights.

use std::ops::Range;

use ndarray::{Array2, Ix1};
use tch::{Kind, Tensor};

use super::arrays::{array, double};
use super::layer_norms::{LayerNorms, Unembedding};
use crate::error::{LensError, Result, SelectionError};
use crate::model::{Gpt2, Parameter};
use crate::scalar::scalar;

/// What the output weights of neurons do to the logits.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NeuronScores {
    /// The layers, in order.
    pub layers: Vec<usize>,
    /// The norm of the output weight: `[layer, neuron]`.
    pub norm: Array2<f64>,
    /// The variance over the vocabulary of what it adds to the logits, both sides normalised: `[layer, neuron]`.
    pub logit_var: Array2<f64>,
    /// The share of its norm that lies where the unembedding hardly reads: `[layer, neuron]`.
    pub null_share: Array2<f64>,
}

/// Scores by which entropy neurons are found: they have a large output weight that hardly moves logits against each
/// other, and lies where the unembedding reads least, so that they act through the final layer norm's divisor (Stolfo et
/// al., "Confidence Regulation Neurons in Language Models", 2024).
///
/// With `w` a neuron's row of `W_out`, `u_t` the columns of `W_U`, and `V_0` the `null_directions` left singular vectors of
/// `W_U` with the smallest singular values,
///
/// ```text
/// norm       = ‖w‖
/// logit_var  = Var_t( u_t · w / (‖u_t‖ ‖w‖) ),   divided by d_vocab
/// null_share = ‖V_0ᵀ w‖ / ‖w‖
/// ```
///
/// A token whose unembedding is zero counts as a cosine of 0. A neuron whose output weight is zero has NaN for the
/// variance and the share. Stolfo et al. take 12 directions for GPT-2 small, whose last singular values drop.
///
/// # Shapes
/// - result: `[layer, neuron]` for each of `layers`
///
/// # Errors
/// [`NullDirections`](LensError::NullDirections) unless some directions are asked for and not all,
/// [`LayerOutOfRange`](SelectionError::LayerOutOfRange) and [`EmptySelection`](SelectionError::EmptySelection).
///
/// ```
/// use hooked_gpt2::lens::{LayerNorms, neuron_scores};
/// # use hooked_gpt2::{Checkpoint, Gpt2, Precision, tch::Device};
/// # let checkpoint = Checkpoint::bundled()?;
/// # let (model, _) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
/// let scores = neuron_scores(&model, 11..12, 12, LayerNorms::Folded)?;
/// let of_neuron = |neuron| (scores.norm[[0, neuron]], scores.logit_var[[0, neuron]]);
/// println!("{:?}", of_neuron(17));
/// # assert_eq!(scores.null_share.dim(), (1, 512));
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[doc(alias("entropy_neurons", "LogitVar"))]
pub fn neuron_scores(
    model: &Gpt2,
    layers: Range<usize>,
    null_directions: usize,
    layer_norms: LayerNorms,
) -> Result<NeuronScores> {
    let config = model.config();
    let (given, d_model) = (null_directions, config.d_model);
    if given == 0 || given >= d_model {
        return Err(LensError::NullDirections { given, d_model }.into());
    }
    let Some(last) = layers.clone().last() else {
        return Err(SelectionError::EmptySelection { axis: "layer" }.into());
    };
    config.check_layer(last)?;
    let Spread { covariance, null_space } = Spread::of(model, null_directions, layer_norms)?;
    let zeros = || Array2::zeros((layers.len(), config.d_mlp));
    let layers: Vec<usize> = layers.clone().collect();
    let mut scores =
        NeuronScores { norm: zeros(), logit_var: zeros(), null_share: zeros(), layers };
    for (number, &layer) in scores.layers.iter().enumerate() {
        let w_out = double(&model.parameter(Parameter::w_out(layer))?)?; // [d_mlp, d_model]
        let norm = norms(&w_out)?;
        let directions = w_out.f_div(&norm.f_unsqueeze(-1)?)?;
        let of_logits = directions.f_matmul(&covariance)?.f_mul(&directions)?;
        let of_logits = of_logits.f_sum_dim_intlist(-1, false, None::<Kind>)?;
        let share = norms(&directions.f_matmul(&null_space)?)?;
        for (scores, found) in [
            (&mut scores.norm, norm),
            (&mut scores.logit_var, of_logits),
            (&mut scores.null_share, share),
        ] {
            scores.row_mut(number).assign(&array::<Ix1>(&found)?);
        }
    }
    Ok(scores)
}

/// How the unembeddings of tokens lie, for all neurons at once: no product of the vocabulary and the neurons is made.
struct Spread {
    /// Of their directions over the vocabulary: `[d_model, d_model]`.
    covariance: Tensor,
    /// `[d_model, null_directions]`
    null_space: Tensor,
}

impl Spread {
    fn of(model: &Gpt2, null_directions: usize, layer_norms: LayerNorms) -> Result<Self> {
        let unembedding = Unembedding::new(model, layer_norms)?;
        let (d_model, d_vocab) = (unembedding.d_model(), unembedding.d_vocab());
        let double = (Kind::Double, tch::Device::Cpu);
        let mut mean = Tensor::f_zeros([d_model, 1], double)?;
        let mut gram = Tensor::f_zeros([d_model, d_model], double)?;
        unembedding.each(|_, columns| {
            let sum = directions(columns)?.f_sum_dim_intlist(1, true, None::<Kind>)?;
            mean = mean.f_add(&sum.f_div(&scalar(d_vocab as f64, &sum)?)?)?;
            gram = gram.f_add(&columns.f_matmul(&columns.f_transpose(0, 1)?)?)?;
            Ok(())
        })?;
        let mut covariance = Tensor::f_zeros([d_model, d_model], double)?;
        unembedding.each(|_, columns| {
            let deviations = directions(columns)?.f_sub(&mean)?;
            let squares = deviations.f_matmul(&deviations.f_transpose(0, 1)?)?;
            covariance = covariance.f_add(&squares.f_div(&scalar(d_vocab as f64, &squares)?)?)?;
            Ok(())
        })?;
        // Eigenvalues come in increasing order.
        let (_, eigenvectors) = gram.f_linalg_eigh("L")?;
        let null_space = eigenvectors.f_narrow(1, 0, null_directions as i64)?;
        Ok(Self { covariance, null_space })
    }
}

/// Columns of length 1, or 0.
fn directions(columns: &Tensor) -> Result<Tensor> {
    let norms = columns.f_square()?.f_sum_dim_intlist(0, true, None::<Kind>)?.f_sqrt()?;
    let is_zero = norms.f_eq_tensor(&scalar(0.0, &norms)?)?;
    let norms = norms.f_masked_fill_tensor(&is_zero, &scalar(1.0, &norms)?)?;
    Ok(columns.f_div(&norms)?)
}

/// The norms of rows.
fn norms(rows: &Tensor) -> Result<Tensor> {
    Ok(rows.f_square()?.f_sum_dim_intlist(-1, false, None::<Kind>)?.f_sqrt()?)
}
