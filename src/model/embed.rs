//! Token and position embedding.

use tch::Tensor;

use super::Loader;
use super::pass::Pass;
use crate::checkpoint::Module;
use crate::dispatch::Interrupt;
use crate::error::Result;
use crate::shared_tensor::SharedTensor;
use crate::site::Site;

/// `x_p = W_E[token_p] + W_pos[p]`.
#[derive(Debug)]
pub(super) struct Embed {
    /// `[d_vocab, d_model]`, to which the unembedding may be tied.
    pub tokens: SharedTensor,
    pub positions: SharedTensor,
}

impl Embed {
    pub fn load(loader: &Loader<'_>) -> Result<Self> {
        Ok(Self { tokens: loader.weight(Module::Wte)?, positions: loader.weight(Module::Wpe)? })
    }

    /// The rows of the tokens that the segments carry, out of all tokens of each sequence.
    ///
    /// # Shapes
    /// - result: `[rows, d_model]`
    pub fn forward(
        &self,
        sequences: &[Vec<u32>],
        pass: &mut Pass<'_, '_>,
    ) -> Result<Tensor, Interrupt> {
        let mut tokens = Vec::with_capacity(pass.segments.rows);
        let mut positions = Vec::with_capacity(pass.segments.rows);
        for (segment, _) in pass.segments.by_row() {
            let span = &segment.span;
            tokens
                .extend(sequences[segment.sequence][span.clone()].iter().map(|&id| i64::from(id)));
            positions.extend(span.clone().map(|position| position as i64));
        }
        let row_of = |table: &Tensor, indices: &[i64]| -> Result<Tensor> {
            let indices = Tensor::f_from_slice(indices)?.f_to_device(table.device())?;
            Ok(Tensor::f_embedding(table, &indices, -1, false, false)?)
        };
        let (embed, pos_embed) =
            (row_of(&self.tokens, &tokens)?, row_of(&self.positions, &positions)?);
        // All that follows depends on these two, and no weight needs a gradient.
        let [embed, pos_embed] = [
            embed.f_set_requires_grad(pass.hooks.tracks())?,
            pos_embed.f_set_requires_grad(pass.hooks.tracks())?,
        ];
        let embed = pass.visit(Site::embed(), embed)?;
        let pos_embed = pass.visit(Site::pos_embed(), pos_embed)?;
        Ok(embed.f_add(&pos_embed)?)
    }
}
