//! What a pass costs, in bytes and operations.

use tch::Device;

use super::Sweep;
use crate::config::Config;
use crate::error::Result;
use crate::hook::{Axes, HookRegistry, Site, Spec, hooks_in};
use crate::model::Layouts;
use crate::segment::Segments;

/// Rows unembedded at a time, so that logits of all variants are never held at once.
pub(super) const ROWS_UNEMBEDDED_AT_ONCE: usize = 64;

/// What is assumed where nobody says how much memory is free, as libtorch does not of a GPU's.
const FALLBACK_BYTES: usize = 4 << 30;

/// The sizes that bytes and operations follow from.
pub(super) struct Costs {
    config: Config,
    captures: Vec<Spec>,
    bytes_per_number: usize,
    /// Whether a hook leads attention off its fused path, so that whole squares are held.
    has_squares: bool,
    /// Whether a hook looks at one residual stream per head.
    has_head_residuals: bool,
}

impl Costs {
    pub fn new(sweep: &Sweep<'_>, registries: &[Box<dyn HookRegistry>]) -> Self {
        let config = sweep.model.config().clone();
        let layers = || (0..config.n_layers).map(Some);
        let own = registries.iter().map(|registry| &**registry);
        let hooks = own.chain([sweep.base_hooks]).flat_map(|registry| {
            layers().flat_map(|layer| hooks_in(registry, layer)).map(|hook| hook.site())
        });
        let captured = sweep.captures.iter().map(Spec::site);
        let axes: Vec<Axes> = hooks.chain(captured).map(Site::axes).collect();
        Self {
            bytes_per_number: sweep.model.precision().kind().elt_size_in_bytes(),
            has_squares: axes.contains(&Axes::Attention),
            has_head_residuals: axes.contains(&Axes::HeadResidual),
            captures: sweep.captures.clone(),
            config,
        }
    }

    /// What is captured in a pass.
    pub fn captured_bytes(&self, layouts: &Layouts) -> Result<usize> {
        let mut bytes = 0;
        for spec in &self.captures {
            for group in &layouts.at(spec.site()).groups {
                bytes += spec.bytes(&self.config, group, self.bytes_per_number)?;
            }
        }
        Ok(bytes)
    }

    /// The most that is held at once besides the model: the larger of attention and MLP in the block
    /// with the most rows, each with its inputs, outputs and one copy of what a hook may edit, or the
    /// logits of one chunk.
    pub fn bytes(&self, layouts: &Layouts, scored_per_segment: usize) -> usize {
        let Config { d_model, d_mlp, d_vocab, n_heads, .. } = self.config;
        let blocks = || layouts.blocks.iter();
        let all = blocks().chain([&layouts.embedding, &layouts.end]);
        let rows = all.map(|layout| layout.rows).max().unwrap_or(0);
        let past: usize = blocks().map(past_rows).max().unwrap_or(0);
        let squares: usize = blocks().map(square).max().unwrap_or(0);
        let streams = 3 * rows * d_model;
        // Queries, keys and values, their copies with what lies before, and each head's mixture.
        let mut attention = rows * 6 * d_model + 4 * (past + rows) * d_model;
        if self.has_squares {
            attention += 4 * squares * n_heads;
        }
        if self.has_head_residuals {
            attention += 6 * rows * n_heads * d_model;
        }
        let mlp = rows * (3 * d_mlp + d_model);
        let block = (streams + attention.max(mlp)) * self.bytes_per_number;
        // Logits as computed, in f64, and those of the bases.
        let chunk = ROWS_UNEMBEDDED_AT_ONCE.max(scored_per_segment);
        let logits = chunk * d_vocab * (self.bytes_per_number + 2 * size_of::<f64>());
        let segments = layouts.embedding.by_row();
        let n_bases = segments.filter(|(segment, _)| segment.base.is_none()).count();
        let bases = n_bases * scored_per_segment * d_vocab;
        block + rows * d_model * self.bytes_per_number + logits + bases * size_of::<f64>()
    }

    /// Operations of one block: two for each weight and row, and those of the attention squares. Queries,
    /// keys and values are computed of the rows `entering`, everything else of those `leaving`.
    pub fn block_flops(&self, entering: &Segments, leaving: &Segments) -> f64 {
        let Config { d_model, d_mlp, .. } = self.config;
        let qkv = 2 * 3 * d_model * d_model * entering.rows;
        let rest = 2 * (d_model + 2 * d_mlp) * d_model * leaving.rows;
        (qkv + rest + 4 * square(leaving) * d_model) as f64
    }

    pub fn unembed_flops(&self, rows: usize) -> f64 {
        2.0 * (self.config.d_model * self.config.d_vocab) as f64 * rows as f64
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

/// Half of the memory that is free on `device`.
pub(super) fn default_bytes(device: Device) -> usize {
    let meminfo = (device == Device::Cpu).then(|| std::fs::read_to_string("/proc/meminfo").ok());
    let available = meminfo.flatten().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()
    });
    available.map_or(FALLBACK_BYTES, |kibibytes| kibibytes * 1024 / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_machine_has_free_is_not_taken_for_the_memory_of_a_gpu() {
        assert_eq!(default_bytes(Device::Cuda(0)), FALLBACK_BYTES);
    }
}
