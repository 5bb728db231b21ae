//! How segments lie on their way, where some fork off from others.

use std::ops::Range;

use crate::hook::{Site, stage_of};
use crate::segment::{Segment, Segments};

/// A segment on its way through the model.
#[derive(Debug, Clone)]
pub(crate) struct Joining {
    /// Where it begins, or forks off from its base: 0 is the embedding, `l + 1` the beginning of block `l`,
    /// and what follows the last one its end.
    pub stage: usize,
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
    /// The layouts of segments in a model of `n_layers`; bases begin at stage 0.
    pub fn new(joining: &[Joining], n_layers: usize) -> Self {
        let until = |stage: usize| joining.iter().filter(move |joining| joining.stage <= stage);
        let layout = |stage: usize| Segments::stack(until(stage).map(|it| it.segment.clone()));
        let last = || joining.iter().filter(|joining| joining.stage > n_layers);
        let read = || {
            until(n_layers).map(|Joining { segment, read_from, .. }| {
                // What forks off at the very end does so from rows that are still carried.
                let forking = last().filter(|last| last.segment.base == Some(segment.id));
                let needed =
                    forking.map(|last| last.segment.span.start).fold(*read_from, usize::min);
                let Range { start, end } = segment.span;
                Segment { span: needed.max(start)..end, ..segment.clone() }
            })
        };
        Self {
            embedding: layout(0),
            blocks: (1..=n_layers).map(layout).collect(),
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
        match stage_of(site, n_layers) {
            0 => &self.embedding,
            stage if stage > n_layers => &self.end,
            stage if stage == n_layers && site > Site::v(n_layers - 1) => &self.read,
            stage => &self.blocks[stage - 1],
        }
    }

    /// Rows that enter a block: one for each position, block and segment.
    pub fn block_rows(&self) -> usize {
        self.blocks.iter().map(|layout| layout.rows).sum()
    }
}
