//! Where each variant forks off from its base, and what it carries from there on.

use super::{Sweep, Variants};
use crate::error::Result;
use crate::hook::{Cone, HookRegistry, Site, first_mixed, hooks_in, stage_of};
use crate::model::Joining;
use crate::segment::{Segment, SegmentGroup, Segments};

/// The sequences of a sweep, and what is read of them.
pub(super) struct Forking<'p> {
    sweep: &'p Sweep<'p>,
    /// The scored positions of each sequence.
    scored: &'p [Vec<usize>],
    /// Each sequence by itself, whole, in the order of the batch.
    wholes: Vec<SegmentGroup>,
    /// The last site of the last block that other positions read.
    last_keys: Site,
}

impl<'p> Forking<'p> {
    pub fn new(sweep: &'p Sweep<'p>, bases: &Segments, scored: &'p [Vec<usize>]) -> Self {
        let last_keys = Site::v(sweep.model.config().n_layers - 1);
        Self { sweep, scored, wholes: wholes(bases), last_keys }
    }

    /// The bases, in the order of the batch.
    pub fn bases(&self) -> Result<Vec<Joining>> {
        let bases = self.wholes.iter().enumerate().map(|(sequence, whole)| {
            let segment = Segment { sequence, ..whole.segments[0].clone() };
            let read_from = self.read_from(&segment, self.sweep.base_hooks)?;
            Ok(Joining { stage: 0, segment, read_from })
        });
        bases.collect()
    }

    /// The variants, those that fork first before others, each with its index.
    pub fn variants(&self, variants: &Variants) -> Result<Vec<(usize, Joining)>> {
        let config = self.sweep.model.config();
        let mut forking = Vec::with_capacity(variants.registries().len());
        for (number, registry) in variants.registries().iter().enumerate() {
            let sequence = number % self.wholes.len();
            let whole = &self.wholes[sequence];
            let Cone { stage, start } = Cone::of(&**registry, config, whole)?;
            // What is read must be carried, changed or not, and so must what a hook of the base mixes.
            let by_itself = |site| stage_of(site, config.n_layers) >= stage;
            let read = self.first_read(sequence, by_itself)?;
            let mixed = first_mixed(self.sweep.base_hooks, config, whole, stage)?;
            let start = mixed.into_iter().fold(start.min(read), usize::min);
            let span = start..whole.span.end;
            let base = whole.segments[0].clone();
            let segment = Segment { sequence, span, base: Some(sequence), ..base };
            let read_from = self.read_from(&segment, &**registry)?;
            forking.push((number, Joining { stage, segment, read_from }));
        }
        // Those that fork late share passes, which then are short.
        forking.sort_by_key(|(_, joining)| joining.stage);
        Ok(forking)
    }

    /// The first position of a segment that is read behind the keys and values of the last block.
    fn read_from(&self, segment: &Segment, own: &dyn HookRegistry) -> Result<usize> {
        let n_layers = self.sweep.model.config().n_layers;
        let looks = |registry: &dyn HookRegistry| {
            let layers = [Some(n_layers - 1), None].into_iter();
            let mut hooks = layers.flat_map(|layer| hooks_in(registry, layer));
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
fn wholes(bases: &Segments) -> Vec<SegmentGroup> {
    let groups = bases.groups.iter();
    let alone = groups.flat_map(|group| {
        (0..group.segments.len())
            .map(|member| (group.segments[member].sequence, group.alone(member)))
    });
    let mut alone: Vec<(usize, SegmentGroup)> = alone.collect();
    alone.sort_by_key(|&(sequence, _)| sequence);
    alone.into_iter().map(|(_, group)| group).collect()
}
