//! How segments lie on their way, where some fork off from others.

use crate::segment::{Segment, Segments};

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
    /// Whole `bases`, and the segments that fork off from them, each with the stage at which it does:
    /// 0 is the embedding, `l + 1` the beginning of block `l`, and what follows the last one its end.
    /// `read_from` gives the first position of a segment that anything reads behind the keys and values of
    /// the last block.
    pub fn new(
        bases: &Segments,
        forking: &[(usize, Segment)],
        n_layers: usize,
        read_from: impl Fn(&Segment) -> usize,
    ) -> Self {
        let bases = || bases.groups.iter().flat_map(|group| group.segments.iter().cloned());
        let joined = |stages: std::ops::RangeInclusive<usize>| {
            let joined = forking.iter().filter(move |(stage, _)| stages.contains(stage));
            joined.map(|(_, segment)| segment.clone())
        };
        let layout = |stage: usize| Segments::stack(bases().chain(joined(0..=stage)));
        let last = || joined(n_layers + 1..=n_layers + 1);
        let narrowed = |segment: Segment| {
            let forked_from = last().filter(|last| last.base == Some(segment.id));
            let start =
                forked_from.map(|last| last.span.start).fold(read_from(&segment), usize::min);
            Segment { span: start.max(segment.span.start)..segment.span.end, ..segment }
        };
        let read = || bases().chain(joined(0..=n_layers)).map(narrowed);
        Self {
            embedding: layout(0),
            blocks: (1..=n_layers).map(layout).collect(),
            read: Segments::stack(read()),
            end: Segments::stack(read().chain(last())),
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

    /// Rows that enter a block: one for each position, block and segment.
    pub fn block_rows(&self) -> usize {
        self.blocks.iter().map(|layout| layout.rows).sum()
    }
}
