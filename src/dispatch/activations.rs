//! The activations that a run was asked to keep.

use tch::Tensor;

use crate::error::{BatchError, CaptureError, Result};
use crate::hook::{CaptureKey, CaptureSpec, Kept};
use crate::layout::{SegmentGroup, SegmentId};
use crate::site::Site;

/// Captured activations, by what was asked for and by sequence.
#[derive(Debug)]
pub struct Activations {
    /// In execution order of their sites.
    pub(super) captures: Vec<Captured>,
    pub(super) n_sequences: usize,
}

#[derive(Debug)]
pub(super) struct Captured {
    pub spec: CaptureSpec,
    /// What was kept of each group, and the segments of the group: step by step where positions come one after the
    /// other.
    groups: Vec<(Vec<SegmentId>, Kept)>,
}

impl Captured {
    /// What `read` makes of all that was kept of a segment, one of the rows of a group; `None` if nothing was.
    pub fn of<T>(
        &self,
        segment: SegmentId,
        read: impl FnOnce(&Kept, i64) -> Result<T>,
    ) -> Result<Option<T>> {
        let steps = self.groups.iter().filter_map(|(segments, kept)| {
            let row = segments.iter().position(|&member| member == segment)?;
            Some((kept, row as i64))
        });
        match steps.collect::<Vec<_>>()[..] {
            [] => Ok(None),
            [(kept, row)] => read(kept, row).map(Some),
            ref steps => read(&self.spec.joined(steps)?, 0).map(Some),
        }
    }
}

impl Activations {
    pub(super) fn new(mut specs: Vec<CaptureSpec>, n_sequences: usize) -> Self {
        specs.sort_by_key(CaptureSpec::site);
        let captures = specs.into_iter().map(|spec| Captured { spec, groups: Vec::new() });
        Self { captures: captures.collect(), n_sequences }
    }

    /// Keeps what was asked for of the tensor of a group, before or after the edits at its site.
    pub(super) fn keep(
        &mut self,
        site: Site,
        before_edits: bool,
        group: &SegmentGroup,
        state: &Tensor,
    ) -> Result<()> {
        let first = self.captures.partition_point(|captured| captured.spec.site() < site);
        let here = self.captures[first..].iter_mut();
        for Captured { spec, groups } in here.take_while(|captured| captured.spec.site() == site) {
            if spec.is_before_edits() == before_edits
                && let Some(kept) = spec.keep(group, state)?
            {
                groups.push((group.ids().collect(), kept));
            }
        }
        Ok(())
    }

    /// What was captured under `key`, of one sequence of the batch.
    ///
    /// # Shapes
    /// - of a [`Site`]: the [axes](Site::shape) of the site without `batch`, sharing memory with this
    ///   cache
    /// - of a [`Capture`](crate::hook::Capture): the same with the positions asked for; without the last axis
    ///   for a norm, without `pos` for moments
    ///
    /// # Errors
    /// [`NoSuchSequence`](BatchError::NoSuchSequence), and [`NotCaptured`](CaptureError::NotCaptured), which
    /// says what was.
    pub fn get<K: CaptureKey>(&self, key: K, sequence: usize) -> Result<K::Found> {
        if sequence >= self.n_sequences {
            let (given, len) = (sequence, self.n_sequences);
            return Err(BatchError::NoSuchSequence { given, len }.into());
        }
        self.find(&key, sequence, |_| SegmentId(sequence))
    }

    /// What was captured under `key` of a sequence that went through each site as the segment of the number
    /// that `segment_at` gives.
    pub(crate) fn find<K: CaptureKey>(
        &self,
        key: &K,
        sequence: usize,
        segment_at: impl Fn(Site) -> SegmentId,
    ) -> Result<K::Found> {
        let spec = key.spec();
        let segment = segment_at(spec.site());
        if let Some(captured) = self.captures.iter().find(|captured| captured.spec == spec)
            && let Some(found) = captured.of(segment, K::found)?
        {
            return Ok(found);
        }
        let what = spec.to_string();
        let captured = self.captured(segment_at);
        Err(CaptureError::NotCaptured { what, sequence, captured }.into())
    }

    /// The captured sites, in execution order.
    pub fn sites(&self) -> impl Iterator<Item = Site> {
        let mut sites: Vec<Site> =
            self.captures.iter().map(|captured| captured.spec.site()).collect();
        sites.dedup();
        sites.into_iter()
    }

    /// What was captured, in words, of a sequence that went through each site as this segment.
    fn captured(&self, segment_at: impl Fn(Site) -> SegmentId) -> String {
        let of_sequence = |captured: &&Captured| {
            let segment = segment_at(captured.spec.site());
            captured.groups.iter().any(|(segments, _)| segments.contains(&segment))
        };
        let captured = self.captures.iter().filter(of_sequence);
        let names: Vec<String> = captured.map(|captured| captured.spec.to_string()).collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
    }
}
