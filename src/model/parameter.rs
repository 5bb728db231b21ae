//! The model's parameters, under the names and with the shapes of TransformerLens.

use std::fmt;
use std::str::FromStr;

use tch::Tensor;

use super::Gpt2;
use super::block::Block;
use crate::error::{Error, Result, SelectionError};
use crate::nearest::nearest;

/// A parameter of GPT-2, under the name and with the shape of TransformerLens.
///
/// [`Gpt2::parameter`] reads it. Parameters print TransformerLens's names and are parsed from them, strictly.
/// Weights stand on the right of what they are multiplied with, `x W + b`. GPT-2's unembedding has no bias.
/// `docs/weights.md` has the table of all of them.
///
/// ```
/// # use hooked_gpt2::Parameter;
/// assert_eq!(Parameter::w_q(2).to_string(), "blocks.2.attn.W_Q");
/// assert_eq!("blocks.2.attn.W_Q".parse::<Parameter>()?, Parameter::w_q(2));
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Parameter(Place);

/// The variants stand in the order of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Place {
    WE,
    WPos,
    Block(usize, InBlock),
    LnFinalW,
    LnFinalB,
    WU,
}

/// Makes all that is known of the parameters of one block from one table: what it is, its name, and where it
/// lies.
macro_rules! block_parameters {
    ($($(#[$attribute:meta])* $constructor:ident $variant:ident $name:literal = $found:expr;)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        enum InBlock { $($variant),* }

        type Found = fn(&Block) -> Result<Tensor>;

        const IN_BLOCK: &[(InBlock, &str, Found)] = &[$((InBlock::$variant, $name, $found)),*];

        impl Parameter {
            $($(#[$attribute])* pub const fn $constructor(layer: usize) -> Self {
                Self(Place::Block(layer, InBlock::$variant))
            })*
        }
    };
}

block_parameters! {
    /// The gain of attention's layer norm, `[d_model]`.
    #[doc(alias = "ln1.w")]
    ln1_w Ln1W "ln1.w" = |block| Ok(block.attention.norm.gain.shallow_clone());
    /// The bias of attention's layer norm, `[d_model]`.
    #[doc(alias = "ln1.b")]
    ln1_b Ln1B "ln1.b" = |block| Ok(block.attention.norm.bias.shallow_clone());
    /// What each head's queries are made with, `[head, d_model, d_head]`.
    #[doc(alias = "W_Q")]
    w_q WQ "attn.W_Q" = |block| block.attention.w_qkv(0);
    /// What each head's keys are made with, `[head, d_model, d_head]`.
    #[doc(alias = "W_K")]
    w_k WK "attn.W_K" = |block| block.attention.w_qkv(1);
    /// What each head's values are made with, `[head, d_model, d_head]`.
    #[doc(alias = "W_V")]
    w_v WV "attn.W_V" = |block| block.attention.w_qkv(2);
    /// What each head's mixture of values is put back into the stream with, `[head, d_head, d_model]`.
    #[doc(alias = "W_O")]
    w_o WO "attn.W_O" = |block| block.attention.w_o();
    /// The bias of each head's queries, `[head, d_head]`.
    #[doc(alias = "b_Q")]
    b_q BQ "attn.b_Q" = |block| block.attention.b_qkv(0);
    /// The bias of each head's keys, `[head, d_head]`.
    #[doc(alias = "b_K")]
    b_k BK "attn.b_K" = |block| block.attention.b_qkv(1);
    /// The bias of each head's values, `[head, d_head]`.
    #[doc(alias = "b_V")]
    b_v BV "attn.b_V" = |block| block.attention.b_qkv(2);
    /// The bias of attention's output, one for all heads, `[d_model]`.
    #[doc(alias = "b_O")]
    b_o BO "attn.b_O" = |block| Ok(block.attention.output.bias.shallow_clone());
    /// The gain of the MLP's layer norm, `[d_model]`.
    #[doc(alias = "ln2.w")]
    ln2_w Ln2W "ln2.w" = |block| Ok(block.mlp.norm.gain.shallow_clone());
    /// The bias of the MLP's layer norm, `[d_model]`.
    #[doc(alias = "ln2.b")]
    ln2_b Ln2B "ln2.b" = |block| Ok(block.mlp.norm.bias.shallow_clone());
    /// What the neurons read from the stream, `[d_model, d_mlp]`.
    #[doc(alias = "W_in")]
    w_in WIn "mlp.W_in" = |block| block.mlp.input.dense();
    /// The neurons' bias, before the activation function, `[d_mlp]`.
    b_in BIn "mlp.b_in" = |block| Ok(block.mlp.input.bias.shallow_clone());
    /// What the neurons write into the stream, `[d_mlp, d_model]`.
    #[doc(alias = "W_out")]
    w_out WOut "mlp.W_out" = |block| block.mlp.output.dense();
    /// The bias of the MLP's output, `[d_model]`.
    b_out BOut "mlp.b_out" = |block| Ok(block.mlp.output.bias.shallow_clone());
}

impl Parameter {
    /// The token embedding, `[d_vocab, d_model]`.
    #[doc(alias = "W_E")]
    pub const fn w_e() -> Self {
        Self(Place::WE)
    }

    /// The position embedding, `[n_ctx, d_model]`.
    #[doc(alias = "W_pos")]
    pub const fn w_pos() -> Self {
        Self(Place::WPos)
    }

    /// The gain of the final layer norm, `[d_model]`.
    #[doc(alias = "ln_final.w")]
    pub const fn ln_final_w() -> Self {
        Self(Place::LnFinalW)
    }

    /// The bias of the final layer norm, `[d_model]`.
    #[doc(alias = "ln_final.b")]
    pub const fn ln_final_b() -> Self {
        Self(Place::LnFinalB)
    }

    /// The unembedding, `[d_model, d_vocab]`: the token embedding transposed, unless it is untied.
    #[doc(alias = "W_U")]
    pub const fn w_u() -> Self {
        Self(Place::WU)
    }

    /// All parameters of a model of `n_layers` blocks, in the order of the model.
    pub fn all(n_layers: usize) -> impl Iterator<Item = Self> {
        let before = [Self::w_e(), Self::w_pos()];
        let after = [Self::ln_final_w(), Self::ln_final_b(), Self::w_u()];
        before.into_iter().chain((0..n_layers).flat_map(Self::of_block)).chain(after)
    }

    fn of_block(layer: usize) -> impl Iterator<Item = Self> {
        IN_BLOCK.iter().map(move |&(parameter, ..)| Self(Place::Block(layer, parameter)))
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Place::WE => f.write_str("embed.W_E"),
            Place::WPos => f.write_str("pos_embed.W_pos"),
            Place::Block(layer, parameter) => {
                write!(f, "blocks.{layer}.{}", IN_BLOCK[parameter as usize].1)
            }
            Place::LnFinalW => f.write_str("ln_final.w"),
            Place::LnFinalB => f.write_str("ln_final.b"),
            Place::WU => f.write_str("unembed.W_U"),
        }
    }
}

impl FromStr for Parameter {
    type Err = Error;

    /// Parses a TransformerLens name, such as `blocks.3.attn.W_Q`.
    fn from_str(name: &str) -> Result<Self> {
        let layer = name.split('.').find_map(|part| part.parse().ok()).unwrap_or(0);
        let known = || Self::all(0).chain(Self::of_block(layer));
        known().find(|parameter| parameter.to_string() == name).ok_or_else(|| {
            let names = known().map(|parameter| parameter.to_string());
            let (given, nearest) = (name.to_owned(), nearest(names, name));
            SelectionError::UnknownParameter { given, nearest }.into()
        })
    }
}

impl Gpt2 {
    /// One of the model's parameters, raw: nothing is folded or centred.
    ///
    /// It lies where the model does, in the number format of its activations. In
    /// [`Bf16`](crate::Precision::Bf16) the weights of the blocks' products have the values that the model
    /// multiplies with, which are rounded to bfloat16.
    ///
    /// The tensor is the caller's own, a copy: whatever is done to it, the model stays as it is.
    ///
    /// What a head of block 5 writes for what it reads, its OV circuit (Elhage et al. 2021):
    ///
    /// ```
    /// # use hooked_gpt2::{Checkpoint, Gpt2, Parameter, Precision, Result, tch::Device};
    /// # fn main() -> Result<()> {
    /// # let checkpoint = Checkpoint::bundled()?;
    /// # let (model, _) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
    /// let w_v = model.parameter(Parameter::w_v(5))?.f_get(3)?; // [d_model, d_head]
    /// let w_o = model.parameter(Parameter::w_o(5))?.f_get(3)?; // [d_head, d_model]
    /// let ov = w_v.f_matmul(&w_o)?;
    /// assert_eq!(ov.size(), [128, 128]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`LayerOutOfRange`](crate::error::SelectionError::LayerOutOfRange).
    #[doc(alias("weight", "weights", "state_dict", "named_parameters"))]
    pub fn parameter(&self, parameter: Parameter) -> Result<Tensor> {
        let found = match parameter.0 {
            Place::WE => self.embed.tokens.shallow_clone(),
            Place::WPos => self.embed.positions.shallow_clone(),
            Place::Block(layer, parameter) => {
                self.config.check_layer(layer)?;
                IN_BLOCK[parameter as usize].2(&self.blocks[layer])?
            }
            Place::LnFinalW => self.unembed.ln_final.gain.shallow_clone(),
            Place::LnFinalB => self.unembed.ln_final.bias.shallow_clone(),
            Place::WU => self.unembed.w_u()?,
        };
        // Not a lazy copy: libtorch makes one by changing what it copies, which other threads may be reading.
        Ok(found.f_detach_copy()?)
    }
}
