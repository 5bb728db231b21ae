//! The forward pass, from tokens to logits.

use tch::Tensor;

use super::Gpt2;
use super::pass::Pass;
use super::scored::Scored;
use super::unembed::Unembed;
use crate::dispatch::Interrupt;
use crate::error::Result;

impl Gpt2 {
    /// The logits of the scored rows, `[rows, d_vocab]`, of the tokens that the segments carry.
    pub(super) fn forward(
        &self,
        sequences: &[Vec<u32>],
        scored: &Scored,
        pass: &mut Pass<'_, '_>,
    ) -> Result<Tensor, Interrupt> {
        let residual = self.embedded(sequences, pass)?;
        self.forward_from(0, residual, scored, pass)
    }

    /// The same from the residual stream entering block `layer`, `[rows, d_model]`.
    pub(super) fn forward_from(
        &self,
        layer: usize,
        mut residual: Tensor,
        scored: &Scored,
        pass: &mut Pass<'_, '_>,
    ) -> Result<Tensor, Interrupt> {
        for layer in layer..self.blocks.len() {
            residual = self.through_block(layer, residual, pass)?;
        }
        self.unembedded(&residual, scored, pass)
    }

    /// The residual stream entering the first block, `[rows, d_model]`. `sequences` are all tokens of
    /// each, whichever of them the segments carry.
    pub(crate) fn embedded(
        &self,
        sequences: &[Vec<u32>],
        pass: &mut Pass<'_, '_>,
    ) -> Result<Tensor, Interrupt> {
        let residual = self.embed.forward(sequences, pass)?;
        Ok(pass.fork(0, residual)?)
    }

    /// The residual stream leaving block `layer`, `[rows, d_model]`.
    pub(crate) fn through_block(
        &self,
        layer: usize,
        residual: Tensor,
        pass: &mut Pass<'_, '_>,
    ) -> Result<Tensor, Interrupt> {
        self.blocks[layer].forward(residual, pass)
    }

    /// The logits of the scored rows of the residual stream leaving the last block.
    pub(crate) fn unembedded(
        &self,
        residual: &Tensor,
        scored: &Scored,
        pass: &mut Pass<'_, '_>,
    ) -> Result<Tensor, Interrupt> {
        if Unembed::is_watched(pass.hooks) {
            return Ok(scored.rows_of(self.unembed.forward(residual, pass)?)?);
        }
        self.unembed.forward(&scored.rows_of(residual.shallow_clone())?, pass)
    }
}
