//! What heads copy and what they read of each other, by their weights.

use ndarray::{Array2, Array4, Ix1, Ix2, s};
use tch::{Kind, Tensor};

use super::arrays::{array, double};
use super::layer_norms::{LayerNorms, Unembedding};
use crate::error::Result;
use crate::model::{Gpt2, Parameter};

/// What a later head reads of an earlier one through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Composition {
    /// Its queries.
    Q,
    /// Its keys.
    K,
    /// Its values.
    V,
}

/// How much each head copies: whether the tokens that it attends to become likelier (Elhage et al., "A Mathematical
/// Framework for Transformer Circuits", 2021).
///
/// ```text
/// copying = Σ_i λ_i / Σ_i |λ_i|,   λ the eigenvalues of the OV circuit  W_E W_V W_O W_U
/// ```
///
/// From -1 to 1, which is where all eigenvalues are positive: each token that is attended to makes tokens like itself
/// likelier. The circuit has as many eigenvalues that are not zero as a head has channels, and these are those of
/// `W_O W_U W_E W_V`, which is no larger than a head. NaN for a head that writes nothing.
///
/// # Shapes
/// - result: `[layer, head]`
///
/// # Errors
/// [`Torch`](crate::Error::Torch) if the eigenvalues are not found, and
/// [`OutOfMemory`](crate::Error::OutOfMemory).
///
/// ```
/// use hooked_gpt2::lens::{LayerNorms, copying_scores};
/// # use hooked_gpt2::{Checkpoint, Gpt2, Precision, tch::Device};
/// # let checkpoint = Checkpoint::bundled()?;
/// # let (model, _) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
/// let scores = copying_scores(&model, LayerNorms::Folded)?;
/// println!("head 3 of layer 5 copies by {:+.2}", scores[[5, 3]]);
/// # assert!(scores.iter().all(|score| score.abs() <= 1.0));
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[doc(alias("OV_circuit", "copying_score"))]
pub fn copying_scores(model: &Gpt2, layer_norms: LayerNorms) -> Result<Array2<f64>> {
    let config = model.config();
    let w_e = model.parameter(Parameter::w_e())?;
    let mut tokens: Option<Tensor> = None; // W_U W_E, [d_model, d_model]
    Unembedding::new(model, layer_norms)?.each(|first, w_u| {
        let some = w_u.f_matmul(&double(&w_e.f_narrow(0, first, w_u.size()[1])?)?)?;
        tokens = Some(match tokens.take() {
            None => some,
            Some(others) => others.f_add(&some)?,
        });
        Ok(())
    })?;
    let mut scores = Array2::from_elem((config.n_layers, config.n_heads), f64::NAN);
    let Some(tokens) = tokens else { return Ok(scores) };
    for (layer, mut of_layer) in scores.outer_iter_mut().enumerate() {
        let w_o = double(&model.parameter(Parameter::w_o(layer))?)?;
        let w_v = layer_norms.reading(model, Parameter::w_v(layer), Parameter::ln1_w(layer))?;
        let circuits = w_o.f_matmul(&tokens)?.f_matmul(&w_v)?; // [head, d_head, d_head]
        let eigenvalues = circuits.f_linalg_eigvals()?;
        let sum = |x: Tensor| x.f_sum_dim_intlist(-1, false, None::<Kind>);
        let (sum, size) = (sum(eigenvalues.f_real()?)?, sum(eigenvalues.f_abs()?)?);
        of_layer.assign(&array::<Ix1>(&sum.f_div(&size)?)?);
    }
    Ok(scores)
}

/// How much each head reads of what each earlier one writes (Elhage et al. 2021).
///
/// ```text
/// score = ‖W_OV W_read‖ / (‖W_OV‖ ‖W_read‖),   ‖·‖ the Frobenius norm,
/// W_OV = W_V W_O of the earlier head,   W_read = W_Q W_Kᵀ, W_K W_Qᵀ or W_V W_O of the later one for Q, K and V
/// ```
///
/// From 0 to 1. Two random heads have some `1 / sqrt(d_model)`, which Elhage et al. subtract and this does not. No
/// product is larger than a head by a head: of each pair, `[d_head, d_head]`. NaN where the first is in no earlier layer
/// than the second, and for heads whose weights are zero.
///
/// # Shapes
/// - result: `[layer, head, layer, head]`, the earlier one first
///
/// # Errors
/// [`Torch`](crate::Error::Torch) and [`OutOfMemory`](crate::Error::OutOfMemory).
///
/// ```
/// use hooked_gpt2::lens::{Composition, LayerNorms, composition_scores};
/// # use hooked_gpt2::{Checkpoint, Gpt2, Precision, tch::Device};
/// # let checkpoint = Checkpoint::bundled()?;
/// # let (model, _) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
/// let scores = composition_scores(&model, Composition::K, LayerNorms::Raw)?;
/// println!("the keys of 5.3 read {:.3} of 4.1", scores[[4, 1, 5, 3]]);
/// # assert!(scores[[5, 3, 4, 1]].is_nan() && scores[[4, 1, 5, 3]] > 0.0);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[doc(alias = "all_composition_scores")]
pub fn composition_scores(
    model: &Gpt2,
    composition: Composition,
    layer_norms: LayerNorms,
) -> Result<Array4<f64>> {
    let (n_layers, n_heads) = (model.config().n_layers, model.config().n_heads);
    let mut scores = Array4::from_elem((n_layers, n_heads, n_layers, n_heads), f64::NAN);
    let mut writing: Vec<Side> = Vec::with_capacity(n_layers);
    for later in 0..n_layers {
        let reading = Side::reading(model, composition, layer_norms, later)?;
        for (earlier, writing) in writing.iter().enumerate() {
            let of_pair = writing.composed(&reading)?;
            scores.slice_mut(s![earlier, .., later, ..]).assign(&of_pair);
        }
        writing.push(Side::writing(model, layer_norms, later)?);
    }
    Ok(scores)
}

/// The heads of a layer, each a matrix with the norms of a product of two, of which the other factor's directions are
/// orthonormal and left out.
struct Side {
    /// `[head, d_head, d_model]` where it writes, `[head, d_model, d_head]` where it reads.
    factors: Tensor,
    /// `[head]`
    norms: Tensor,
}

impl Side {
    /// Of `W_V W_O`, what it writes.
    fn writing(model: &Gpt2, layer_norms: LayerNorms, layer: usize) -> Result<Self> {
        let w_v = layer_norms.reading(model, Parameter::w_v(layer), Parameter::ln1_w(layer))?;
        let w_o = double(&model.parameter(Parameter::w_o(layer))?)?;
        Self::new(triangle(&w_v)?.f_matmul(&w_o)?)
    }

    /// Of `W_Q W_Kᵀ`, `W_K W_Qᵀ` or `W_V W_O`, what it reads.
    fn reading(
        model: &Gpt2,
        composition: Composition,
        layer_norms: LayerNorms,
        layer: usize,
    ) -> Result<Self> {
        let weight = |of: fn(usize) -> Parameter| {
            layer_norms.reading(model, of(layer), Parameter::ln1_w(layer))
        };
        let (first, second) = match composition {
            Composition::Q => (weight(Parameter::w_q)?, weight(Parameter::w_k)?),
            Composition::K => (weight(Parameter::w_k)?, weight(Parameter::w_q)?),
            Composition::V => {
                let w_o = double(&model.parameter(Parameter::w_o(layer))?)?;
                (weight(Parameter::w_v)?, w_o.f_transpose(-2, -1)?)
            }
        };
        Self::new(first.f_matmul(&triangle(&second)?.f_transpose(-2, -1)?)?)
    }

    fn new(factors: Tensor) -> Result<Self> {
        let norms =
            factors.f_square()?.f_sum_dim_intlist(&[1, 2][..], false, None::<Kind>)?.f_sqrt()?;
        Ok(Self { factors, norms })
    }

    /// The scores of each of these heads with each of those that read.
    fn composed(&self, reading: &Self) -> Result<Array2<f64>> {
        let (n_heads, d_head) = (self.factors.size()[0], self.factors.size()[1]);
        let writing = self.factors.f_flatten(0, 1)?; // [head · d_head, d_model]
        let reading_factors = reading.factors.f_permute([1, 0, 2])?.f_flatten(1, 2)?;
        let products = writing.f_matmul(&reading_factors)?.f_square()?;
        let products = products.f_view([n_heads, d_head, n_heads, d_head])?;
        let norms = products.f_sum_dim_intlist(&[1, 3][..], false, None::<Kind>)?.f_sqrt()?;
        let norms = norms.f_div(&self.norms.f_unsqueeze(1)?)?.f_div(&reading.norms)?;
        array::<Ix2>(&norms)
    }
}

/// R of W = QR, `[head, d_head, d_head]` of `[head, d_model, d_head]`: it has the norms of W in products from the right.
fn triangle(weight: &Tensor) -> Result<Tensor> {
    let (_, triangle) = Tensor::f_linalg_qr(weight, "r")?;
    Ok(triangle)
}
