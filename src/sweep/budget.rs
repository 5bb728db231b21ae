//! What a pass costs, in bytes and operations.

use crate::hook::{Axes, HookRegistry, Site, hooks_in};
use crate::model::{Gpt2, Layouts};
use crate::segment::Segments;

/// Rows unembedded at a time, so that logits of all variants are never held at once.
pub(super) const ROWS_UNEMBEDDED_AT_ONCE: usize = 64;

/// What is assumed where the machine does not say how much memory is free.
const FALLBACK_BYTES: usize = 4 << 30;

/// The sizes that bytes and operations follow from.
pub(super) struct Costs {
    d_model: usize,
    d_mlp: usize,
    d_vocab: usize,
    n_heads: usize,
    bytes_per_number: usize,
    /// Whether a hook leads attention off its fused path, so that whole squares are held.
    has_squares: bool,
    /// Whether a hook looks at one residual stream per head.
    has_head_residuals: bool,
}

impl Costs {
    pub fn new<'r>(model: &Gpt2, registries: impl Iterator<Item = &'r dyn HookRegistry>) -> Self {
        let config = model.config();
        let (mut has_squares, mut has_head_residuals) = (false, false);
        for registry in registries {
            for layer in 0..config.n_layers {
                let axes =
                    hooks_in(registry, Some(layer)).iter().map(|hook| Site::axes(hook.site()));
                for axes in axes {
                    has_squares |= axes == Axes::Attention;
                    has_head_residuals |= axes == Axes::HeadResidual;
                }
            }
        }
        Self {
            d_model: config.d_model,
            d_mlp: config.d_mlp,
            d_vocab: config.d_vocab,
            n_heads: config.n_heads,
            bytes_per_number: model.precision().kind().elt_size_in_bytes(),
            has_squares,
            has_head_residuals,
        }
    }

    /// The most that is held at once besides the model: the larger of attention and MLP in the block
    /// with the most rows, each with its inputs, outputs and one copy of what a hook may edit, or the
    /// logits of one chunk.
    pub fn bytes(&self, layouts: &Layouts, scored_per_segment: usize) -> usize {
        let blocks = || layouts.blocks.iter();
        let all = blocks().chain([&layouts.embedding, &layouts.end]);
        let rows = all.map(|layout| layout.rows).max().unwrap_or(0);
        let past: usize = blocks().map(past_rows).max().unwrap_or(0);
        let squares: usize = blocks().map(square).max().unwrap_or(0);
        let streams = 3 * rows * self.d_model;
        // Queries, keys and values, their copies with what lies before, and each head's mixture.
        let mut attention = rows * 6 * self.d_model + 4 * (past + rows) * self.d_model;
        if self.has_squares {
            attention += 4 * squares * self.n_heads;
        }
        if self.has_head_residuals {
            attention += 6 * rows * self.n_heads * self.d_model;
        }
        let mlp = rows * (3 * self.d_mlp + self.d_model);
        let block = (streams + attention.max(mlp)) * self.bytes_per_number;
        // Logits as computed, in f64, and those of the bases.
        let chunk = ROWS_UNEMBEDDED_AT_ONCE.max(scored_per_segment);
        let logits = chunk * self.d_vocab * (self.bytes_per_number + 2 * size_of::<f64>());
        let bases = layouts.embedding.len() * scored_per_segment * self.d_vocab;
        block + rows * self.d_model * self.bytes_per_number + logits + bases * size_of::<f64>()
    }

    /// Operations of one block: two for each weight and row, and those of the attention squares. Queries,
    /// keys and values are computed of the rows `entering`, everything else of those `leaving`.
    pub fn block_flops(&self, entering: &Segments, leaving: &Segments) -> f64 {
        let qkv = 2 * 3 * self.d_model * self.d_model * entering.rows;
        let rest = 2 * (self.d_model + 2 * self.d_mlp) * self.d_model * leaving.rows;
        (qkv + rest + 4 * square(leaving) * self.d_model) as f64
    }

    pub fn unembed_flops(&self, rows: usize) -> f64 {
        2.0 * (self.d_model * self.d_vocab) as f64 * rows as f64
    }
}

/// Positions that segments read from their bases.
fn past_rows(layout: &Segments) -> usize {
    layout.groups.iter().map(|group| group.segments.len() * group.span.start).sum()
}

/// Pairs of query and key.
fn square(layout: &Segments) -> usize {
    let groups = layout.groups.iter();
    groups.map(|group| group.rows.len() * group.span.end).sum()
}

/// Half of the memory that is free.
pub(super) fn default_bytes() -> usize {
    let available = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()
    });
    available.map_or(FALLBACK_BYTES, |kibibytes| kibibytes * 1024 / 2)
}
