//! What a sweep must compute, known before it runs.

use std::fmt;

use super::budget::{self, Costs};
use super::{Sweep, Variants};
use crate::error::{Error, Result};
use crate::hook::{Cone, HookRegistry, NoHooks, Preflight, Registries, Site, Way, hooks_in};
use crate::model::Layouts;
use crate::segment::{Segment, SegmentGroup, Segments};

/// A sweep that is ready to run: what is computed where, in how many passes, for how many bytes.
///
/// Its [`Display`](fmt::Display) form explains it.
pub struct Plan<'a> {
    pub(super) sweep: Sweep<'a>,
    pub(super) variants: &'a Variants,
    /// The scored positions of each sequence.
    pub(super) scored: Vec<Vec<usize>>,
    /// The bases, whole.
    pub(super) bases: Segments,
    pub(super) passes: Vec<PassPlan>,
    /// Whether something looks at more of the bases, and of each variant, than what is scored, behind the
    /// keys and values of the last block.
    bases_are_read_whole: bool,
    is_read_whole: Vec<bool>,
    max_bytes: usize,
    costs: Costs,
}

/// The variants that go through the model together, with their bases.
#[derive(Debug)]
pub(super) struct PassPlan {
    /// Index of each variant among all of them, with its segment.
    pub members: Vec<(usize, Segment)>,
    /// How they lie on their way.
    pub layouts: Layouts,
    /// The most memory that the pass needs besides the model.
    pub bytes: usize,
}

impl<'a> Plan<'a> {
    pub(super) fn new(sweep: Sweep<'a>, variants: &'a Variants) -> Result<Self> {
        let (model, batch) = (sweep.model, sweep.batch);
        batch.check(model.config())?;
        let n_sequences = batch.sequences().len();
        if variants.n_sequences() != n_sequences {
            let (given, needed) = (variants.n_sequences(), n_sequences);
            return Err(Error::VariantSequences { given, needed });
        }
        let bases = Segments::new(batch);
        let scored = scored_positions(&sweep)?;
        check(&sweep, variants, &bases)?;

        let wholes: Vec<SegmentGroup> = wholes(&bases);
        let mut forking: Vec<(usize, usize, Segment)> = Vec::new();
        for (number, registry) in variants.registries().iter().enumerate() {
            let sequence = number % n_sequences;
            let cone = Cone::of(&**registry, model.config(), &wholes[sequence])?;
            let base = &wholes[sequence].segments[0];
            // What is read must be carried, changed or not.
            let start = cone.start.min(scored[sequence][0]);
            let span = start..base.span.end;
            let base = Segment { sequence, ..base.clone() };
            forking.push((cone.stage, number, Segment { span, base: Some(sequence), ..base }));
        }
        // Those that fork late share passes, which then are short.
        forking.sort_by_key(|&(stage, ..)| stage);

        let n_layers = model.config().n_layers;
        let costs = Costs::new(model, variants.registries().iter().map(|registry| &**registry));
        let max_bytes = sweep.max_bytes.unwrap_or_else(budget::default_bytes);
        let looks_behind = |registry: &dyn HookRegistry| looks_behind_keys(registry, n_layers);
        let bases_are_read_whole = looks_behind(sweep.base_hooks);
        let own = variants.registries().iter();
        let is_read_whole = own.map(|own| bases_are_read_whole || looks_behind(&**own)).collect();
        let mut plan = Self {
            sweep,
            variants,
            scored,
            bases,
            passes: Vec::new(),
            bases_are_read_whole,
            is_read_whole,
            max_bytes,
            costs,
        };
        let mut rest = 0..forking.len();
        while !rest.is_empty() {
            let (pass, taken) = plan.largest_pass(&forking[rest.clone()])?;
            plan.passes.push(pass);
            rest.start += taken;
        }
        Ok(plan)
    }

    /// The pass over as many of the variants as the budget holds, and how many they are.
    fn largest_pass(&self, forking: &[(usize, usize, Segment)]) -> Result<(PassPlan, usize)> {
        let fits = |count: usize| self.pass(&forking[..count]).bytes <= self.max_bytes;
        if !fits(1) {
            let needed = self.pass(&forking[..1]).bytes;
            return Err(Error::BudgetTooSmall { max_bytes: self.max_bytes, needed });
        }
        // Bytes grow with every variant: bisect.
        let (mut holds, mut too_many) = (1, forking.len() + 1);
        while holds + 1 < too_many {
            let middle = holds.midpoint(too_many);
            if fits(middle) { holds = middle } else { too_many = middle }
        }
        Ok((self.pass(&forking[..holds]), holds))
    }

    fn pass(&self, forking: &[(usize, usize, Segment)]) -> PassPlan {
        let n_bases = self.bases.len();
        // Numbers follow the passes, not the sweep: those of the bases come first.
        let numbered = forking.iter().enumerate().map(|(place, (stage, _, segment))| {
            (*stage, Segment { id: n_bases + place, ..segment.clone() })
        });
        let numbered: Vec<(usize, Segment)> = numbered.collect();
        let read_from = |segment: &Segment| {
            let own = segment.id.checked_sub(n_bases).map(|place| forking[place].1);
            let is_read_whole =
                own.map_or(self.bases_are_read_whole, |own| self.is_read_whole[own]);
            if is_read_whole { segment.span.start } else { self.scored[segment.sequence][0] }
        };
        let n_layers = self.sweep.model.config().n_layers;
        let layouts = Layouts::new(&self.bases, &numbered, n_layers, read_from);
        let bytes = self.costs.bytes(&layouts, self.scored.iter().map(Vec::len).max().unwrap_or(1));
        let members = numbered.into_iter().zip(forking);
        let members = members.map(|((_, segment), &(_, number, _))| (number, segment)).collect();
        PassPlan { members, layouts, bytes }
    }

    /// Rows that enter a block: one for each position, block and segment. In the last one, only what is
    /// read goes on from its keys and values.
    pub fn block_rows(&self) -> usize {
        self.passes.iter().map(|pass| pass.layouts.block_rows()).sum()
    }

    /// The rows that one forward pass for each variant and each base would take.
    pub fn naive_block_rows(&self) -> usize {
        let n_runs = self.variants.n_points() + 1;
        self.bases.rows * n_runs * self.sweep.model.config().n_layers
    }

    /// Floating-point operations of the matrix products.
    pub fn flops(&self) -> f64 {
        let n_scored: usize = self.scored.iter().map(Vec::len).sum();
        let of_pass = |pass: &PassPlan| {
            let layouts = &pass.layouts;
            let blocks = layouts.blocks.iter().enumerate().map(|(layer, entering)| {
                self.costs.block_flops(entering, layouts.narrowed(layer).unwrap_or(entering))
            });
            let scored = n_scored
                + pass
                    .members
                    .iter()
                    .map(|(_, segment)| self.scored[segment.sequence].len())
                    .sum::<usize>();
            blocks.sum::<f64>() + self.costs.unembed_flops(scored)
        };
        self.passes.iter().map(of_pass).sum()
    }

    /// The most memory that a pass needs besides the model.
    pub fn peak_bytes(&self) -> usize {
        self.passes.iter().map(|pass| pass.bytes).max().unwrap_or(0)
    }

    /// The number of passes over the model.
    pub fn n_passes(&self) -> usize {
        self.passes.len()
    }
}

impl fmt::Display for Plan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rows, naive) = (self.block_rows(), self.naive_block_rows());
        let variants = self.variants.n_points() * self.bases.len();
        writeln!(f, "variants      {variants} of {} sequences", self.bases.len())?;
        let share = naive as f64 / rows as f64;
        writeln!(f, "block rows    {rows}, one run each: {naive} ({share:.1} times as many)")?;
        writeln!(f, "operations    {:.3} TFLOP", self.flops() / 1e12)?;
        let mebibytes = |bytes: usize| bytes as f64 / f64::from(1 << 20);
        let (peak, allowed) = (mebibytes(self.peak_bytes()), mebibytes(self.max_bytes));
        writeln!(f, "peak memory   {peak:.0} MiB besides the model, allowed: {allowed:.0} MiB")?;
        write!(f, "passes        {}", self.n_passes())
    }
}

/// The scored positions of each sequence.
fn scored_positions(sweep: &Sweep<'_>) -> Result<Vec<Vec<usize>>> {
    let sequences = sweep.batch.sequences().iter().enumerate();
    let scored = sequences.map(|(sequence, tokens)| sweep.score.indices(tokens.len(), sequence));
    let scored: Vec<Vec<usize>> = scored.collect::<Result<_>>()?;
    match scored.iter().find(|positions| positions.len() != scored[0].len()) {
        None => Ok(scored),
        Some(other) => Err(Error::ScoredUnevenly { first: scored[0].len(), other: other.len() }),
    }
}

/// Whether a hook looks at anything behind the keys and values of the last block.
fn looks_behind_keys(registry: &dyn HookRegistry, n_layers: usize) -> bool {
    let last = n_layers - 1;
    let hooks = [Some(last), None].map(|layer| hooks_in(registry, layer));
    hooks.into_iter().flatten().any(|hook| hook.site() > Site::v(last))
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

/// Checks every hook of every variant, before anything is computed.
fn check(sweep: &Sweep<'_>, variants: &Variants, bases: &Segments) -> Result<()> {
    let model = sweep.model;
    let n_sequences = bases.len();
    let preflight = Preflight {
        config: model.config(),
        layouts: std::slice::from_ref(bases),
        n_sequences,
        way: Way { from: None, until: None },
        kind: model.precision().kind(),
        device: model.device(),
    };
    let shared = sweep.base_hooks;
    preflight.check_hooks(Registries { shared, each: None }, &[])?;
    let none = vec![&NoHooks as &dyn HookRegistry; n_sequences];
    for (number, registry) in variants.registries().iter().enumerate() {
        let mut each = none.clone();
        each[number % n_sequences] = &**registry;
        let checked = preflight.check_hooks(Registries { shared, each: Some(&each) }, &[]);
        checked.map_err(|source| Error::Variant {
            variant: variants.describe(number),
            source: Box::new(source),
        })?;
    }
    Ok(())
}
