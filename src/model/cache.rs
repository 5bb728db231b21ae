//! Keys and values of positions that were computed before.

use tch::Tensor;

use crate::error::Result;
use crate::layout::{SegmentGroup, SegmentId};

/// The keys and values of each block, as they were after its hooks, group by group.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    layers: Vec<Vec<Past>>,
}

#[derive(Debug)]
struct Past {
    segments: Vec<SegmentId>,
    /// `[batch, head, pos, d_head]`
    keys: Tensor,
    values: Tensor,
}

impl Cache {
    pub fn new(n_layers: usize) -> Self {
        Self { layers: (0..n_layers).map(|_| Vec::new()).collect() }
    }

    /// Puts the keys and values of a group's new positions behind those of its earlier ones, and gives
    /// all of them.
    ///
    /// # Shapes
    /// - keys, values, results: `[batch, head, pos, d_head]`
    pub fn extend(
        &mut self,
        layer: usize,
        group: &SegmentGroup,
        keys: Tensor,
        values: Tensor,
    ) -> Result<(Tensor, Tensor)> {
        let layer = &mut self.layers[layer];
        let joined = |past: &Tensor, new: &Tensor| Tensor::f_cat(&[past, new], 2);
        let (keys, values) = match layer.iter_mut().find(|past| past.holds(group)) {
            Some(past) => {
                past.keys = joined(&past.keys, &keys)?;
                past.values = joined(&past.values, &values)?;
                (past.keys.shallow_clone(), past.values.shallow_clone())
            }
            None => {
                let (kept_keys, kept_values) = (keys.shallow_clone(), values.shallow_clone());
                let segments = group.ids().collect();
                layer.push(Past { segments, keys: kept_keys, values: kept_values });
                (keys, values)
            }
        };
        Ok((keys, values))
    }

    /// Forgets the segments that `keep` does not name.
    pub fn retain(&mut self, keep: impl Fn(SegmentId) -> bool) -> Result<()> {
        for layer in &mut self.layers {
            for past in layer.iter_mut() {
                past.retain(&keep)?;
            }
            layer.retain(|past| !past.segments.is_empty());
        }
        Ok(())
    }
}

impl Past {
    fn holds(&self, group: &SegmentGroup) -> bool {
        group.ids().eq(self.segments.iter().copied())
    }

    fn retain(&mut self, keep: impl Fn(SegmentId) -> bool) -> Result<()> {
        let kept = |row: &usize| keep(self.segments[*row]);
        let rows: Vec<usize> = (0..self.segments.len()).filter(kept).collect();
        if rows.len() == self.segments.len() {
            return Ok(());
        }
        self.segments = rows.iter().map(|&row| self.segments[row]).collect();
        let rows: Vec<i64> = rows.into_iter().map(|row| row as i64).collect();
        let rows = Tensor::f_from_slice(&rows)?.f_to_device(self.keys.device())?;
        self.keys = self.keys.f_index_select(0, &rows)?;
        self.values = self.values.f_index_select(0, &rows)?;
        Ok(())
    }
}
