//! What attention makes of queries, keys and values: each head's mixture of values.

use std::cell::LazyCell;

use tch::{Device, Kind, Tensor};

use super::pass::Pass;
use crate::config::Config;
use crate::dispatch::Interrupt;
use crate::error::{HookError, Result};
use crate::layout::{SegmentGroup, SegmentRows, Segments, flatten};
use crate::scalar::scalar;
use crate::site::Site;

/// `softmax(mask(q kᵀ · scale)) v` per head (Vaswani et al. 2017).
#[derive(Debug)]
pub(super) struct Mixing {
    layer: usize,
    n_heads: i64,
    d_head: i64,
    scale: f64,
}

/// The queries, keys and values of one group, each `[batch, head, pos, d_head]`.
struct GroupQkv {
    q: Tensor,
    k: Tensor,
    v: Tensor,
}

impl Mixing {
    pub fn new(config: &Config, layer: usize) -> Self {
        let (n_heads, d_head) = (config.n_heads as i64, config.d_head as i64);
        Self { layer, n_heads, d_head, scale: config.attention_scale(layer) }
    }

    /// Each head's mixture of values. Queries lie as the pass has them, keys and values as `entered` has
    /// them.
    ///
    /// # Shapes
    /// - q, k, v: `[rows, head, d_head]`
    /// - result: `[rows, head, d_head]`
    pub fn forward(
        &self,
        q: &Tensor,
        [k, v]: [&Tensor; 2],
        entered: &Segments,
        pass: &mut Pass<'_, '_>,
    ) -> Result<Tensor, Interrupt> {
        let segments = pass.segments;
        // The rows of keys are looked up only where some lie elsewhere than their queries.
        let rows = LazyCell::new(|| entered.segment_rows());
        let mut mixed = Vec::with_capacity(segments.groups.len());
        for (number, group) in segments.groups.iter().enumerate() {
            let q = heads_first(group, q)?;
            let (k, v) = if let Some(cache) = &mut pass.cache {
                cache.extend(self.layer, group, heads_first(group, k)?, heads_first(group, v)?)?
            } else if group.span.start == 0 && entered == segments {
                (heads_first(group, k)?, heads_first(group, v)?)
            } else {
                self.gathered(group, [k, v], &rows)?
            };
            let qkv = GroupQkv { q, k, v };
            let z = match self.edited_pattern(&qkv, number, pass)? {
                Some(pattern) => pattern.f_matmul(&qkv.v)?,
                None => self.fused(&qkv, group)?,
            };
            mixed.push(z.f_transpose(1, 2)?);
        }
        Ok(flatten(mixed)?)
    }

    /// The keys and values of all positions up to the end of a group, its segments' own and their bases'.
    fn gathered(
        &self,
        group: &SegmentGroup,
        [k, v]: [&Tensor; 2],
        rows: &SegmentRows,
    ) -> Result<(Tensor, Tensor)> {
        let rows = Tensor::f_from_slice(&group.key_rows(rows))?.f_to_device(k.device())?;
        let shape = [group.segments.len() as i64, -1, self.n_heads, self.d_head];
        let gathered = |flat: &Tensor| -> Result<Tensor> {
            Ok(flat.f_index_select(0, &rows)?.f_view(shape)?.f_transpose(1, 2)?)
        };
        Ok((gathered(k)?, gathered(v)?))
    }

    /// Scores, softmax and mixture in one operation, which shows neither.
    fn fused(&self, GroupQkv { q, k, v }: &GroupQkv, group: &SegmentGroup) -> Result<Tensor> {
        // Without a past the fused mask fits; the last position alone needs none.
        let is_whole = group.span.start == 0;
        let mask = if is_whole || group.len() == 1 {
            None
        } else {
            Some(later_keys(group, q.device())?.f_logical_not()?)
        };
        let scale = self.scale;
        Ok(Tensor::f_scaled_dot_product_attention(q, k, v, mask, 0.0, is_whole, scale, false)?)
    }

    /// The attention pattern of one group, past its sites; `None` unless a hook edits it, so that
    /// the fused path can be taken.
    ///
    /// # Shapes
    /// - result: `[batch, head, query_pos, key_pos]`
    fn edited_pattern(
        &self,
        GroupQkv { q, k, .. }: &GroupQkv,
        number: usize,
        pass: &mut Pass<'_, '_>,
    ) -> Result<Option<Tensor>, Interrupt> {
        let (scores_site, pattern_site) =
            (Site::attn_scores(self.layer), Site::pattern(self.layer));
        let (segments, hooks) = (pass.segments, &mut *pass.hooks);
        if !hooks.wants(scores_site) && !hooks.wants(pattern_site) {
            return Ok(None);
        }
        let group = &segments.groups[number];
        let scores = q.f_matmul(&k.f_transpose(2, 3)?)?.f_mul(&scalar(self.scale, q)?)?;
        let hidden = scalar(f64::NEG_INFINITY, q)?;
        let scores = scores.f_masked_fill_tensor(&later_keys(group, q.device())?, &hidden)?;
        let scores = hooks.visit_group(scores_site, scores, segments, number)?;
        if hooks.edits(scores_site) {
            check_keys(&scores, group, scores_site)?;
        }
        let pattern = scores.f_softmax(-1, None::<Kind>)?;
        let pattern = hooks.visit_group(pattern_site, pattern, segments, number)?;
        let edited = hooks.edits(scores_site) || hooks.edits(pattern_site);
        Ok(edited.then_some(pattern))
    }
}

/// One group's rows with the heads before the positions: `[batch, head, pos, d_head]`, a view.
fn heads_first(group: &SegmentGroup, flat: &Tensor) -> Result<Tensor> {
    Ok(group.stacked(flat)?.f_transpose(1, 2)?)
}

/// Where a key is later than its query, `[query_pos, key_pos]`.
fn later_keys(group: &SegmentGroup, device: Device) -> Result<Tensor> {
    let [queries, keys] = [group.len() as i64, group.span.end as i64];
    let all = Tensor::f_ones([queries, keys], (Kind::Bool, device))?;
    Ok(all.f_triu(group.span.start as i64 + 1)?)
}

/// Checks that every query may attend to some key.
///
/// # Shapes
/// - scores: `[batch, head, query_pos, key_pos]`
fn check_keys(scores: &Tensor, group: &SegmentGroup, site: Site) -> Result<(), Interrupt> {
    let without = scores.f_isneginf()?.f_all_dim(-1, false)?.f_nonzero()?;
    if without.size()[0] == 0 {
        return Ok(());
    }
    let index = |axis| -> Result<usize> { Ok(without.f_int64_value(&[0, axis])? as usize) };
    let (segment, head) = (group.segments[index(0)?].id, index(1)?);
    let query = group.span.start + index(2)?;
    Err(Interrupt::of(Some(segment), HookError::NoKeyLeft { site, head, query }))
}
