//! What a sweep captured.

use super::variants::VariantId;
use crate::dispatch::Activations;
use crate::error::{CaptureError, Result};
use crate::hook::CaptureKey;
use crate::layout::{SegmentId, Stage, StagedSegment};

/// The activations of all passes, and where each variant is among them.
#[derive(Debug, Default)]
pub(crate) struct Captured {
    n_layers: usize,
    n_sequences: usize,
    passes: Vec<Activations>,
    /// By point and sequence; none for a variant that was not come to.
    variants: Vec<Option<CapturedVariant>>,
}

#[derive(Debug, Clone, Copy)]
struct CapturedVariant {
    pass: usize,
    segment: SegmentId,
    /// Before it forks off, a variant is its base.
    stage: Stage,
}

impl Captured {
    pub fn new(n_layers: usize, n_points: usize, n_sequences: usize) -> Self {
        let variants = vec![None; n_points * n_sequences];
        Self { n_layers, n_sequences, passes: Vec::new(), variants }
    }

    /// Takes what was captured in a pass of several variants and their bases.
    pub fn take(&mut self, variants: &[(VariantId, StagedSegment)], activations: Activations) {
        let pass = self.passes.len();
        for (id, StagedSegment { segment, stage, .. }) in variants {
            let number = self.number(*id);
            self.variants[number] =
                Some(CapturedVariant { pass, segment: segment.id, stage: *stage });
        }
        self.passes.push(activations);
    }

    /// Takes what was captured in a plain run of the bases, or of one variant in the place of its base.
    pub fn take_plain(&mut self, variant: Option<VariantId>, activations: Activations) {
        if let Some(id) = variant {
            let (pass, segment) = (self.passes.len(), SegmentId(id.sequence));
            let number = self.number(id);
            self.variants[number] =
                Some(CapturedVariant { pass, segment, stage: Stage::EMBEDDING });
        }
        self.passes.push(activations);
    }

    pub fn of_variant<K: CaptureKey>(&self, key: K, id: VariantId) -> Result<K::Found> {
        let sequence = id.sequence;
        let variant = self.variants.get(self.number(id)).copied().flatten();
        let variant = variant.ok_or_else(|| stopped(&key, sequence))?;
        let has_forked = |site| variant.stage <= Stage::before(site, self.n_layers);
        let segment_at = |site| {
            if has_forked(site) { variant.segment } else { SegmentId(sequence) }
        };
        self.passes[variant.pass].find(&key, sequence, segment_at)
    }

    pub fn of_base<K: CaptureKey>(&self, key: K, sequence: usize) -> Result<K::Found> {
        let pass = self.passes.first().ok_or_else(|| stopped(&key, sequence))?;
        pass.find(&key, sequence, |_| SegmentId(sequence))
    }

    fn number(&self, id: VariantId) -> usize {
        id.point * self.n_sequences + id.sequence
    }
}

fn stopped(key: &impl CaptureKey, sequence: usize) -> CaptureError {
    let captured = "nothing, the sweep was stopped before".to_owned();
    CaptureError::NotCaptured { what: key.spec().to_string(), sequence, captured }
}
