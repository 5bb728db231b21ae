//! What a forward pass carries along besides the state.

use tch::Tensor;

use super::cache::Cache;
use crate::error::Result;
use crate::hook::{Dispatcher, Halt, Site};
use crate::segment::Segments;

/// A forward pass under way.
pub(crate) struct Pass<'p, 'run> {
    /// How the state is laid out.
    pub segments: &'p Segments,
    pub hooks: &'p mut Dispatcher<'run>,
    /// Keys and values of earlier positions, where the segments do not begin at 0 and have no base.
    pub cache: Option<&'p mut Cache>,
    /// The layouts from each block's beginning on, and from the end of the last one, where segments
    /// fork off on the way; empty where none do.
    pub forks: &'p [Segments],
}

impl<'p, 'run> Pass<'p, 'run> {
    /// Shows the hooks the flat `[rows, …]` state at `site`.
    pub fn visit(&mut self, site: Site, state: Tensor) -> Result<Tensor, Halt> {
        self.hooks.visit(site, state, self.segments)
    }

    /// Lets the segments join that fork off before block `layer`, each from the state of its base.
    ///
    /// # Shapes
    /// - state: `[rows, d_model]`
    /// - result: the rows of the new layout
    pub fn fork(&mut self, layer: usize, state: Tensor) -> Result<Tensor> {
        let Some(joined) = self.forks.get(layer) else { return Ok(state) };
        let earlier = std::mem::replace(&mut self.segments, joined);
        if earlier == joined {
            return Ok(state);
        }
        let rows = Tensor::f_from_slice(&joined.rows_from(earlier))?.f_to_device(state.device())?;
        Ok(state.f_index_select(0, &rows)?)
    }

    /// The same pass over some of its segments.
    pub fn over<'s>(&'s mut self, segments: &'s Segments) -> Pass<'s, 'run> {
        Pass { segments, hooks: self.hooks, cache: self.cache.as_deref_mut(), forks: &[] }
    }
}
