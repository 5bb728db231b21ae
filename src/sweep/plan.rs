//! What a sweep must compute, known before it runs.

use std::fmt;

use super::budget::{self, Costs};
use super::captured::Captured;
use super::forking::{Forking, wholes};
use super::variants::VariantId;
use super::{Sweep, Variants};
use crate::dispatch::{Checked, Preflight, Registries, RunRange};
use crate::error::{Result, SweepError};
use crate::layout::{Layouts, Segment, SegmentGroup, SegmentId, Segments, StagedSegment};

/// A sweep that is ready to run: what is computed where, in how many passes, for how many bytes.
///
/// Its [`Display`](fmt::Display) form explains it.
pub struct Plan<'a> {
    pub(super) sweep: Sweep<'a>,
    pub(super) variants: &'a Variants,
    /// The scored positions of each sequence.
    pub(super) scored: Vec<Vec<usize>>,
    /// The bases, in the order of the batch.
    pub(super) bases: Vec<StagedSegment>,
    pub(super) passes: Vec<PassPlan>,
    max_bytes: usize,
    pub(super) costs: Costs,
}

/// The variants that go through the model together, with their bases.
#[derive(Debug)]
pub(super) struct PassPlan {
    pub members: Vec<(VariantId, StagedSegment)>,
    /// How they and their bases lie on their way.
    pub layouts: Layouts,
    /// The most memory that is needed besides the model, with all that was captured before.
    pub bytes: usize,
    /// What is captured until its end.
    pub captured_bytes: usize,
}

impl<'a> Plan<'a> {
    pub(super) fn new(sweep: Sweep<'a>, variants: &'a Variants) -> Result<Self> {
        let (model, batch) = (sweep.model, sweep.batch);
        batch.check(model.config())?;
        check_tokens(&sweep, variants)?;
        let segments = Segments::new(batch);
        let wholes = wholes(&segments);
        let scored = scored_positions(&sweep)?;
        check_hooks(&sweep, variants, &segments, &wholes)?;

        let forking = Forking::new(&sweep, &wholes, &scored);
        let (bases, forking) = (forking.bases()?, forking.variants(variants)?);
        let most_scored = scored.iter().map(Vec::len).max().unwrap_or(0);
        let costs = Costs::new(&sweep, variants, most_scored);
        let max_bytes = sweep.max_bytes.unwrap_or_else(|| budget::default_bytes(model.device()));
        let mut plan =
            Self { sweep, variants, scored, bases, passes: Vec::new(), max_bytes, costs };
        let mut rest = &forking[..];
        while !rest.is_empty() {
            let pass = plan.largest_pass(rest)?;
            rest = &rest[pass.members.len()..];
            plan.passes.push(pass);
        }
        Ok(plan)
    }

    pub(super) fn nothing_captured(&self) -> Captured {
        let n_layers = self.sweep.model.config().n_layers;
        Captured::new(n_layers, self.variants.n_points(), self.bases.len())
    }

    /// The pass over as many of the variants as the budget holds.
    fn largest_pass(&self, forking: &[(VariantId, StagedSegment)]) -> Result<PassPlan> {
        let max_bytes = self.max_bytes;
        let whole = self.pass(forking)?;
        if whole.bytes <= max_bytes {
            return Ok(whole);
        }
        let smallest = self.pass(&forking[..1])?;
        if smallest.bytes > max_bytes {
            return Err(SweepError::BudgetTooSmall { max_bytes, needed: smallest.bytes }.into());
        }
        // Bytes grow with every variant: bisect, of many to one in 64, since each step lays all of them out.
        let (mut largest, mut too_many) = (smallest, forking.len());
        while largest.members.len() + largest.members.len() / 64 + 1 < too_many {
            let middle = largest.members.len().midpoint(too_many);
            let pass = self.pass(&forking[..middle])?;
            if pass.bytes <= max_bytes { largest = pass } else { too_many = middle }
        }
        Ok(largest)
    }

    fn pass(&self, forking: &[(VariantId, StagedSegment)]) -> Result<PassPlan> {
        // Numbers of segments follow the passes, not the sweep: those of the bases come first.
        let numbers = self.bases.len()..;
        let members = numbers.zip(forking).map(|(number, (variant, staged))| {
            let segment = Segment { id: SegmentId(number), ..staged.segment.clone() };
            (*variant, StagedSegment { segment, ..*staged })
        });
        let members: Vec<(VariantId, StagedSegment)> = members.collect();
        let staged = members.iter().map(|(_, staged)| staged);
        let staged: Vec<StagedSegment> = self.bases.iter().chain(staged).cloned().collect();
        let layouts = Layouts::new(&staged, self.sweep.model.config().n_layers);
        let before = self.passes.last().map_or(0, |pass| pass.captured_bytes);
        let captured_bytes = before + self.costs.captured_bytes(&layouts)?;
        let bytes = captured_bytes + self.costs.bytes(&layouts);
        Ok(PassPlan { members, layouts, bytes, captured_bytes })
    }

    /// Rows that enter a block: one for each position, block and segment. In the last one, only what is
    /// read goes on from its keys and values.
    pub fn block_rows(&self) -> usize {
        self.passes.iter().map(|pass| pass.layouts.block_rows()).sum()
    }

    /// The rows that one forward pass for each variant and each base would take.
    pub fn naive_block_rows(&self) -> usize {
        let n_runs = self.variants.n_points() + 1;
        let rows: usize = self.sweep.batch.sequences().iter().map(Vec::len).sum();
        rows * n_runs * self.sweep.model.config().n_layers
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
                    .map(|(variant, _)| self.scored[variant.sequence].len())
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
    sequences.map(|(sequence, tokens)| sweep.score.indices(tokens.len(), sequence)).collect()
}

/// Checks that the variants were made for the tokens of the sweep.
fn check_tokens(sweep: &Sweep<'_>, variants: &Variants) -> Result<()> {
    let (given, needed) = (variants.batch().sequences(), sweep.batch.sequences());
    if given.len() != needed.len() {
        let (given, needed) = (given.len(), needed.len());
        return Err(SweepError::VariantSequences { given, needed }.into());
    }
    match given.iter().zip(needed).position(|(given, needed)| given != needed) {
        Some(sequence) => Err(SweepError::OtherTokens { sequence }.into()),
        None => Ok(()),
    }
}

/// Checks every hook of every variant, before anything is computed.
fn check_hooks(
    sweep: &Sweep<'_>,
    variants: &Variants,
    bases: &Segments,
    wholes: &[SegmentGroup],
) -> Result<()> {
    let model = sweep.model;
    let preflight = Preflight {
        config: model.config(),
        range: RunRange::WHOLE,
        kind: model.precision().kind(),
        device: model.device(),
        in_steps: false,
    };
    let captures = &sweep.captures;
    let shared = Registries { shared: sweep.base_hooks, each: None };
    preflight.check_run(shared, std::slice::from_ref(bases), captures)?;
    preflight.check_captures(captures, shared, bases)?;
    let alone: Vec<SegmentGroup> = wholes.iter().map(|whole| whole.alone(0)).collect();
    for (id, registry) in variants.iter() {
        let groups = std::slice::from_ref(&alone[id.sequence]);
        let checked = Checked { registry, under: Some(sweep.base_hooks), groups, n_sequences: 1 };
        preflight.check_registry(checked, captures).map_err(|source| SweepError::Variant {
            variant: variants.describe(id),
            source: Box::new(source),
        })?;
    }
    Ok(())
}
