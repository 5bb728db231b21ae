//! Where each variant forks off from its base, and what it carries from there on.

use super::cone::{Cone, first_mixed};
use super::variants::VariantId;
use super::{Sweep, Variants};
use crate::dispatch::hooks_in;
use crate::error::Result;
use crate::hook::HookRegistry;
use crate::layout::{Segment, SegmentGroup, SegmentId, Segments, Stage, StagedSegment};
use crate::site::{Region, Site};

/// The sequences of a sweep, and what is read of them.
pub(super) struct Forking<'p> {
    sweep: &'p Sweep<'p>,
    /// The scored positions of each sequence.
    scored: &'p [Vec<usize>],
    /// Each sequence by itself, whole, in the order of the batch.
    wholes: &'p [SegmentGroup],
    /// The last site of the last block that other positions read.
    last_keys: Site,
}

impl<'p> Forking<'p> {
    pub fn new(sweep: &'p Sweep<'p>, wholes: &'p [SegmentGroup], scored: &'p [Vec<usize>]) -> Self {
        let last_keys = Site::v(sweep.model.config().n_layers - 1);
        Self { sweep, scored, wholes, last_keys }
    }

    /// The bases, in the order of the batch.
    pub fn bases(&self) -> Result<Vec<StagedSegment>> {
        let bases = self.wholes.iter().map(|whole| {
            let segment = whole.segments[0].clone();
            let read_from = self.read_from(&segment, self.sweep.base_hooks)?;
            Ok(StagedSegment { stage: Stage::EMBEDDING, segment, read_from })
        });
        bases.collect()
    }

    /// The variants, those that fork first before others.
    pub fn variants(&self, variants: &Variants) -> Result<Vec<(VariantId, StagedSegment)>> {
        let forking = variants.iter().map(|(id, registry)| Ok((id, self.variant(id, registry)?)));
        let mut forking: Vec<(VariantId, StagedSegment)> = forking.collect::<Result<_>>()?;
        // Those that fork late share passes, which then are short.
        forking.sort_by_key(|(_, staged)| staged.stage);
        Ok(forking)
    }

    fn variant(&self, id: VariantId, registry: &dyn HookRegistry) -> Result<StagedSegment> {
        let (config, sequence) = (self.sweep.model.config(), id.sequence);
        let whole = &self.wholes[sequence];
        let Cone { stage, start } = Cone::of(registry, config, &whole.alone(0))?;
        // What is read must be carried, changed or not, and so must what a hook of the base mixes.
        let by_itself = |site| Stage::before(site, config.n_layers) >= stage;
        let read = self.first_read(sequence, by_itself)?;
        let mixed = first_mixed(self.sweep.base_hooks, config, whole, stage)?;
        let start = mixed.into_iter().fold(start.min(read), usize::min);
        let (span, base) = (start..whole.span.end, Some(SegmentId(sequence)));
        let segment = Segment { span, base, ..whole.segments[0].clone() };
        let read_from = self.read_from(&segment, registry)?;
        Ok(StagedSegment { stage, segment, read_from })
    }

    /// The first position of a segment that is read behind the keys and values of the last block.
    fn read_from(&self, segment: &Segment, own: &dyn HookRegistry) -> Result<usize> {
        let last_block = Region::Block(self.sweep.model.config().n_layers - 1);
        let looks = |registry: &dyn HookRegistry| {
            let regions = [last_block, Region::OutsideBlocks].into_iter();
            let mut hooks = regions.flat_map(|region| hooks_in(registry, region));
            hooks.any(|hook| hook.site() > self.last_keys)
        };
        if looks(own) || looks(self.sweep.base_hooks) {
            return Ok(segment.span.start);
        }
        self.first_read(segment.sequence, |site| site > self.last_keys)
    }

    /// The first position of a sequence that is scored, or captured at one of `sites`.
    fn first_read(&self, sequence: usize, sites: impl Fn(Site) -> bool) -> Result<usize> {
        let mut first = self.scored[sequence][0];
        for spec in self.sweep.captures.iter().filter(|spec| sites(spec.site())) {
            let captured = spec.positions_in(&self.wholes[sequence])?;
            first = captured.first().map_or(first, |&captured| first.min(captured));
        }
        Ok(first)
    }
}

/// Each sequence by itself, whole, in the order of the batch.
pub(super) fn wholes(bases: &Segments) -> Vec<SegmentGroup> {
    let groups = bases.groups.iter();
    let members =
        groups.flat_map(|group| (0..group.segments.len()).map(|member| group.member(member)));
    let mut wholes: Vec<SegmentGroup> = members.collect();
    wholes.sort_by_key(|whole| whole.segments[0].sequence);
    wholes
}
