//! What a forward pass carries along besides the state.

use tch::Tensor;

use super::cache::Cache;
use crate::error::Result;
use crate::hook::{Dispatcher, Halt, Site};
use crate::segment::Segments;

/// A forward pass under way.
pub(super) struct Pass<'p, 'run> {
    /// How the state is laid out.
    pub segments: &'p Segments,
    pub hooks: &'p mut Dispatcher<'run>,
    /// Keys and values of earlier positions, where the segments do not begin at 0.
    pub cache: Option<&'p mut Cache>,
}

impl<'run> Pass<'_, 'run> {
    /// Shows the hooks the flat `[rows, …]` state at `site`.
    pub fn visit(&mut self, site: Site, state: Tensor) -> Result<Tensor, Halt> {
        self.hooks.visit(site, state, self.segments)
    }

    /// The same pass over some of its segments.
    pub fn over<'s>(&'s mut self, segments: &'s Segments) -> Pass<'s, 'run> {
        Pass { segments, hooks: self.hooks, cache: self.cache.as_deref_mut() }
    }
}
