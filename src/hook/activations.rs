//! The activations that a run was asked to keep.

use std::collections::BTreeMap;

use tch::Tensor;

use super::Site;
use crate::error::{Error, Result};
use crate::segment::Segments;

/// Captured activations, by site and sequence.
#[derive(Debug)]
pub struct Activations {
    /// The flat state at each site; the rows of a sequence are cut out on look-up.
    states: BTreeMap<Site, Tensor>,
    segments: Segments,
}

impl Activations {
    pub(super) fn new(segments: Segments) -> Self {
        Self { states: BTreeMap::new(), segments }
    }

    pub(super) fn insert(&mut self, site: Site, state: Tensor) {
        self.states.insert(site, state);
    }

    /// The tensor at `site`, after the edits there, of one sequence of the batch.
    ///
    /// # Shapes
    /// - result: `[pos, d_model]`, sharing memory with this cache
    ///
    /// # Errors
    /// [`Error::NotCaptured`], which says what was, and [`Error::NoSuchSequence`].
    pub fn get(&self, site: Site, sequence: usize) -> Result<Tensor> {
        let state = self.states.get(&site).ok_or_else(|| Error::NotCaptured {
            site: site.to_string(),
            captured: self.captured(),
        })?;
        let rows = self.segments.rows_of(sequence)?;
        Ok(state.f_narrow(0, rows.start as i64, rows.len() as i64)?)
    }

    /// The captured sites, in execution order.
    pub fn sites(&self) -> impl Iterator<Item = Site> {
        self.states.keys().copied()
    }

    fn captured(&self) -> String {
        if self.states.is_empty() {
            return "nothing".to_owned();
        }
        self.sites().map(|site| site.to_string()).collect::<Vec<_>>().join(", ")
    }
}
