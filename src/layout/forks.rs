//! How segments lie on their way, where some fork off from others.

use std::collections::HashMap;
use std::ops::Range;

use super::{Segment, SegmentId, Segments, Stage};
use crate::site::Site;

/// A segment on its way through the model.
#[derive(Debug, Clone)]
pub(crate) struct StagedSegment {
    /// Where it begins, or forks off from its base.
    pub stage: Stage,
    pub segment: Segment,
    /// Its first position that anything reads behind the keys and values of the last block.
    pub read_from: usize,
}

/// The layouts that a pass goes through, one after the other.
#[derive(Debug)]
pub(crate) struct Layouts {
    /// At the embedding.
    pub embedding: Segments,
    /// From each block's beginning on.
    pub blocks: Vec<Segments>,
    /// Behind the keys and values of the last block, where a segment carries no more than is read of it.
    pub read: Segments,
    /// From the end of the last block on.
    pub end: Segments,
}

impl Layouts {
    /// The layouts of segments in a model of `n_layers`; bases begin at the embedding.
    pub fn new(staged: &[StagedSegment], n_layers: usize) -> Self {
        let until = |stage| staged.iter().filter(move |staged| staged.stage <= stage);
        let layout = |stage| Segments::stack(until(stage).map(|staged| staged.segment.clone()));
        let end = Stage::entering(n_layers);
        let last = || staged.iter().filter(|staged| staged.stage >= end);
        // The first row of each segment that what forks off at the very end goes on from.
        let mut forked_from: HashMap<SegmentId, usize> = HashMap::new();
        for StagedSegment { segment, .. } in last() {
            if let Some(base) = segment.base {
                let first = forked_from.entry(base).or_insert(segment.span.start);
                *first = segment.span.start.min(*first);
            }
        }
        let before_end = || staged.iter().filter(|staged| staged.stage < end);
        let read = || {
            before_end().map(|StagedSegment { segment, read_from, .. }| {
                let forking = forked_from.get(&segment.id).copied();
                let needed = forking.map_or(*read_from, |forking| forking.min(*read_from));
                let Range { start, end } = segment.span;
                Segment { span: needed.max(start)..end, ..segment.clone() }
            })
        };
        Self {
            embedding: layout(Stage::EMBEDDING),
            blocks: (0..n_layers).map(|layer| layout(Stage::entering(layer))).collect(),
            read: Segments::stack(read()),
            end: Segments::stack(read().chain(last().map(|last| last.segment.clone()))),
        }
    }

    /// The layout that a block, or what follows the last one, begins with.
    pub fn entering(&self, layer: usize) -> &Segments {
        self.blocks.get(layer).unwrap_or(&self.end)
    }

    /// The layout behind the keys and values of block `layer`, if it is another one than before.
    pub fn narrowed(&self, layer: usize) -> Option<&Segments> {
        (layer + 1 == self.blocks.len()).then_some(&self.read)
    }

    /// The layout that `site` is shown.
    pub fn at(&self, site: Site) -> &Segments {
        let n_layers = self.blocks.len();
        match Stage::before(site, n_layers) {
            Stage::EMBEDDING => &self.embedding,
            stage if stage == Stage::entering(n_layers) => &self.end,
            _ if site > Site::v(n_layers - 1) => &self.read,
            stage => stage.block().map_or(&self.end, |layer| self.entering(layer)),
        }
    }

    /// Rows that enter a block: one for each position, block and segment.
    pub fn block_rows(&self) -> usize {
        self.blocks.iter().map(|layout| layout.rows).sum()
    }
}
