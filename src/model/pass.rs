//! What a forward pass carries along besides the state.

use tch::Tensor;

use super::cache::Cache;
use crate::dispatch::{Dispatcher, Interrupt};
use crate::error::Result;
use crate::layout::{Layouts, Segments};
use crate::site::Site;

/// A forward pass under way.
pub(crate) struct Pass<'p, 'run> {
    /// How the state is laid out.
    pub segments: &'p Segments,
    pub hooks: &'p mut Dispatcher<'run>,
    /// Keys and values of earlier positions, where the segments do not begin at 0 and have no base.
    pub cache: Option<&'p mut Cache>,
    /// The layouts on the way, where they change.
    pub layouts: Option<&'p Layouts>,
}

impl<'p, 'run> Pass<'p, 'run> {
    /// Shows the hooks the flat `[rows, …]` state at `site`.
    pub fn visit(&mut self, site: Site, state: Tensor) -> Result<Tensor, Interrupt> {
        self.hooks.visit(site, state, self.segments)
    }

    /// Lets the segments join that fork off before block `layer`, each from the state of its base.
    ///
    /// # Shapes
    /// - state: `[rows, d_model]`
    /// - result: the rows of the new layout
    pub fn fork(&mut self, layer: usize, state: Tensor) -> Result<Tensor> {
        let Some(layouts) = self.layouts else { return Ok(state) };
        let earlier = std::mem::replace(&mut self.segments, layouts.entering(layer));
        self.carried(earlier, state)
    }

    /// Leaves behind the rows that nothing reads once block `layer` has its keys and values.
    pub fn narrow(&mut self, layer: usize) {
        if let Some(narrowed) = self.layouts.and_then(|layouts| layouts.narrowed(layer)) {
            self.segments = narrowed;
        }
    }

    /// The rows of an `earlier` layout's state that this one goes on with.
    ///
    /// # Shapes
    /// - state: `[rows, …]`
    /// - result: the rows of this layout
    pub fn carried(&self, earlier: &Segments, state: Tensor) -> Result<Tensor> {
        if earlier == self.segments {
            return Ok(state);
        }
        let rows = Tensor::f_from_slice(&self.segments.rows_from(earlier))?;
        Ok(state.f_index_select(0, &rows.f_to_device(state.device())?)?)
    }

    /// The same pass over some of its segments.
    pub fn over<'s>(&'s mut self, segments: &'s Segments) -> Pass<'s, 'run> {
        let cache = self.cache.as_deref_mut();
        Pass { segments, hooks: self.hooks, cache, layouts: None }
    }
}
