//! What a pass costs, in bytes and operations.

use tch::Device;

use super::{Sweep, Variants};
use crate::config::Config;
use crate::dispatch::hooks_in;
use crate::error::Result;
use crate::hook::{CaptureSpec, HookRegistry};
use crate::layout::{Layouts, Segments};
use crate::site::{Region, Site, SiteShape};

/// Rows unembedded at a time, so that logits of all variants are never held at once.
const ROWS_UNEMBEDDED_AT_ONCE: usize = 64;

/// What is assumed where nobody says how much memory is free, as libtorch does not of a GPU's.
const FALLBACK_BYTES: usize = 4 << 30;

/// The sizes that bytes and operations follow from.
pub(super) struct Costs {
    config: Config,
    captures: Vec<CaptureSpec>,
    bytes_per_number: usize,
    /// Whether a hook leads attention off its fused path, so that whole squares are held.
    has_squares: bool,
    /// Whether a hook looks at one residual stream per head.
    has_head_residuals: bool,
    scored_per_segment: usize,
    /// All positions of the longest sequence, where a hook looks behind the blocks.
    unembedded_per_segment: usize,
}

impl Costs {
    pub fn new(sweep: &Sweep<'_>, variants: &Variants, scored_per_segment: usize) -> Self {
        let config = sweep.model.config().clone();
        let sites_of = |registry: &dyn HookRegistry| -> Vec<Site> {
            let regions = Region::all(config.n_layers);
            regions.flat_map(|region| hooks_in(registry, region)).map(|hook| hook.site()).collect()
        };
        let hooked = variants.iter().flat_map(|(_, own)| sites_of(own));
        let captured = sweep.captures.iter().map(CaptureSpec::site);
        let sites: Vec<Site> = hooked.chain(sites_of(sweep.base_hooks)).chain(captured).collect();
        let has = |axes| sites.iter().any(|site| site.shape() == axes);
        let (has_squares, has_head_residuals) =
            (has(SiteShape::Attention), has(SiteShape::HeadResidual));
        let longest = sweep.batch.sequences().iter().map(Vec::len).max().unwrap_or(0);
        let looks_behind = sites.iter().any(|&site| site >= Site::ln_final_scale());
        Self {
            bytes_per_number: sweep.model.precision().kind().elt_size_in_bytes(),
            has_squares,
            has_head_residuals,
            scored_per_segment,
            unembedded_per_segment: if looks_behind { longest } else { scored_per_segment },
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

    /// The most that is held at once besides the model: attention or MLP in the block with the most rows,
    /// or the logits of one chunk. Each as it was counted in the code, with copies of what hooks edit: the
    /// edited rows, and all rows put together again.
    pub fn bytes(&self, layouts: &Layouts) -> usize {
        let Config { d_model, d_mlp, d_vocab, n_heads, .. } = self.config;
        let blocks = || layouts.blocks.iter();
        let all = blocks().chain([&layouts.embedding, &layouts.end]);
        let rows = all.map(|layout| layout.rows).max().unwrap_or(0);
        let past: usize = blocks().map(past_rows).max().unwrap_or(0);
        let squares: usize = blocks().map(square).max().unwrap_or(0);
        let residual = rows * d_model;
        // The norm, queries, keys and values twice, a head's mixture; keys and values with what lies before.
        let mut attention = 9 * residual + 2 * (past + rows) * d_model;
        if self.has_squares {
            attention += 5 * squares * n_heads;
        }
        if self.has_head_residuals {
            attention += 6 * residual * n_heads;
        }
        let mlp = residual + 3 * rows * d_mlp;
        let block = (residual + attention.max(mlp)) * self.bytes_per_number;
        // Logits as computed and in f64, and the scored ones of the chunk and of the bases.
        let chunk = self.segments_at_once() * self.unembedded_per_segment;
        let logits = chunk * d_vocab * (self.bytes_per_number + 2 * size_of::<f64>());
        let segments = layouts.embedding.by_row();
        let n_bases = segments.filter(|(segment, _)| segment.base.is_none()).count();
        let bases = n_bases * self.scored_per_segment * d_vocab * size_of::<f64>();
        block.max(residual * self.bytes_per_number + logits + bases)
    }

    /// Segments that are unembedded together.
    pub fn segments_at_once(&self) -> usize {
        (ROWS_UNEMBEDDED_AT_ONCE / self.unembedded_per_segment).max(1)
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
