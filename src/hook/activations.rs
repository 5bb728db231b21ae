//! The activations that a run was asked to keep.

use std::collections::BTreeMap;

use tch::Tensor;

use super::Site;
use crate::error::{Error, Result};
use crate::segment::Segments;

/// Captured activations, by site and sequence.
#[derive(Debug)]
pub struct Activations {
    /// The tensors of each site, one for each group of sequences of equal length.
    groups: BTreeMap<Site, Vec<Tensor>>,
    segments: Segments,
}

impl Activations {
    pub(super) fn new(segments: Segments) -> Self {
        Self { groups: BTreeMap::new(), segments }
    }

    /// Keeps the tensor of the next group.
    pub(super) fn push(&mut self, site: Site, tensor: Tensor) {
        self.groups.entry(site).or_default().push(tensor);
    }

    /// The tensor at `site`, after the edits there, of one sequence of the batch.
    ///
    /// # Shapes
    /// - result: the [axes](Site::axes) of the site without `batch`, sharing memory with this cache
    ///
    /// # Errors
    /// [`Error::NotCaptured`], which says what was, and [`Error::NoSuchSequence`].
    pub fn get(&self, site: Site, sequence: usize) -> Result<Tensor> {
        let groups = self.groups.get(&site).ok_or_else(|| Error::NotCaptured {
            site: site.to_string(),
            captured: self.captured(),
        })?;
        let (group, row) = self.segments.locate(sequence)?;
        Ok(groups[group].f_select(0, row as i64)?)
    }

    /// The captured sites, in execution order.
    pub fn sites(&self) -> impl Iterator<Item = Site> {
        self.groups.keys().copied()
    }

    fn captured(&self) -> String {
        if self.groups.is_empty() {
            return "nothing".to_owned();
        }
        self.sites().map(|site| site.to_string()).collect::<Vec<_>>().join(", ")
    }
}
