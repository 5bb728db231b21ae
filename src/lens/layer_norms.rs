//! Weights that read the residual stream, with their layer norm or without.

use tch::{Kind, Tensor};

use super::arrays::double;
use crate::error::Result;
use crate::model::{Gpt2, Parameter};

/// How weights that read the residual stream through a layer norm are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LayerNorms {
    /// As they are in the checkpoint.
    #[default]
    Raw,
    /// Folded into the weights but for the divisor, which belongs to an input: with the gain `γ` of the layer norm,
    /// `W' = (I - 11ᵀ/d_model) diag(γ) W`, which is what is applied to the stream (TransformerLens's `fold_ln`).
    Folded,
}

impl LayerNorms {
    /// A weight that reads the stream, `[…, d_model, n]`, in f64.
    pub(super) fn reading(
        self,
        model: &Gpt2,
        weight: Parameter,
        gain: Parameter,
    ) -> Result<Tensor> {
        let weight = double(&model.parameter(weight)?)?;
        match self {
            Self::Raw => Ok(weight),
            Self::Folded => {
                let gain = double(&model.parameter(gain)?)?;
                let weight = weight.f_mul(&gain.f_unsqueeze(-1)?)?;
                Ok(weight.f_sub(&weight.f_mean_dim(-2, true, None::<Kind>)?)?)
            }
        }
    }
}

/// The unembedding, some tokens at a time: `W_U` in f64 may be larger than the model.
pub(super) struct Unembedding {
    /// `[d_model, d_vocab]`, in the number format of the model.
    w_u: Tensor,
    /// `[d_model, 1]`
    gain: Option<Tensor>,
}

impl Unembedding {
    /// Numbers that are f64 at once, at most.
    const AT_ONCE: i64 = 1 << 19;

    pub fn new(model: &Gpt2, layer_norms: LayerNorms) -> Result<Self> {
        let gain = || double(&model.parameter(Parameter::ln_final_w())?);
        let gain = match layer_norms {
            LayerNorms::Raw => None,
            LayerNorms::Folded => Some(gain()?.f_unsqueeze(-1)?),
        };
        Ok(Self { w_u: model.parameter(Parameter::w_u())?, gain })
    }

    /// Hands the columns of some tokens, `[d_model, tokens]`, to `take`, with the number of the first, until all were.
    pub fn each(&self, mut take: impl FnMut(i64, &Tensor) -> Result<()>) -> Result<()> {
        let (d_model, d_vocab) = (self.w_u.size()[0], self.w_u.size()[1]);
        let at_once = (Self::AT_ONCE / d_model).max(1);
        let mut first = 0;
        while first < d_vocab {
            let len = at_once.min(d_vocab - first);
            let mut columns = double(&self.w_u.f_narrow(1, first, len)?)?;
            if let Some(gain) = &self.gain {
                columns = columns.f_mul(gain)?;
                columns = columns.f_sub(&columns.f_mean_dim(0, true, None::<Kind>)?)?;
            }
            take(first, &columns)?;
            first += len;
        }
        Ok(())
    }

    pub fn d_vocab(&self) -> i64 {
        self.w_u.size()[1]
    }

    pub fn d_model(&self) -> i64 {
        self.w_u.size()[0]
    }
}
