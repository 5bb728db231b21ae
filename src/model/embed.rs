//! Token and position embedding.

use tch::Tensor;

use super::Loader;
use crate::batch::Batch;
use crate::error::Result;
use crate::hook::{Dispatcher, Site};
use crate::segment::Segments;

/// `x_p = W_E[token_p] + W_pos[p]`.
#[derive(Debug)]
pub(super) struct Embed {
    tokens: Tensor,
    positions: Tensor,
}

impl Embed {
    pub fn load(loader: &Loader<'_>) -> Result<Self> {
        Ok(Self { tokens: loader.read("wte.weight")?, positions: loader.read("wpe.weight")? })
    }

    /// The token embedding `[d_vocab, d_model]`, to which the unembedding may be tied.
    pub fn tokens(&self) -> &Tensor {
        &self.tokens
    }

    /// # Shapes
    /// - result: `[rows, d_model]`
    pub fn forward(
        &self,
        batch: &Batch,
        segments: &Segments,
        hooks: &mut Dispatcher<'_>,
    ) -> Result<Tensor> {
        let mut tokens = Vec::with_capacity(segments.rows);
        let mut positions = Vec::with_capacity(segments.rows);
        for sequence in segments.sequences_by_row() {
            let ids = &batch.sequences()[sequence];
            tokens.extend(ids.iter().map(|&id| i64::from(id)));
            positions.extend(0..ids.len() as i64);
        }
        let row_of = |table: &Tensor, indices: &[i64]| -> Result<Tensor> {
            let indices = Tensor::f_from_slice(indices)?.f_to_device(table.device())?;
            Ok(Tensor::f_embedding(table, &indices, -1, false, false)?)
        };
        let (embed, pos_embed) =
            (row_of(&self.tokens, &tokens)?, row_of(&self.positions, &positions)?);
        // All that follows depends on these two, and no weight needs a gradient.
        let [embed, pos_embed] = [
            embed.f_set_requires_grad(hooks.tracks())?,
            pos_embed.f_set_requires_grad(hooks.tracks())?,
        ];
        let embed = hooks.visit(Site::embed(), embed)?;
        let pos_embed = hooks.visit(Site::pos_embed(), pos_embed)?;
        Ok(embed.f_add(&pos_embed)?)
    }
}
