//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use hooked_gpt2::Precision;
use hooked_gpt2::checkpoint::Source;
use hooked_gpt2::hook::Site;

use crate::threads::Threads;

/// Patch the clean run into the corrupted one, at each layer and position, and watch two words.
#[derive(Debug, Parser)]
#[command(max_term_width = 80)]
pub struct Arguments {
    /// A model of the hub, a directory, or `bundled`
    #[arg(long, value_name = "NAME|DIR|bundled", default_value = "bundled")]
    pub model: Source,
    /// The prompt whose activations are patched in
    #[arg(long, default_value = "When Mary and John went to the store, John gave a drink to")]
    pub clean: String,
    /// The prompt that they are patched into: as many tokens
    #[arg(long, default_value = "When Mary and John went to the store, Mary gave a drink to")]
    pub corrupted: String,
    /// The one token that the clean prompt asks for
    #[arg(long, default_value = " Mary")]
    pub right: String,
    /// The one token that the corrupted prompt asks for
    #[arg(long, default_value = " John")]
    pub wrong: String,
    /// What is patched
    #[arg(long, value_enum, default_value_t)]
    pub site: PatchedSite,
    /// The number format to compute in: f32, f64, or bf16, which is faster and less exact
    #[arg(long, default_value_t)]
    pub dtype: Precision,
    #[command(flatten)]
    pub threads: Threads,
    /// Where to compute: cpu, cuda, cuda:N or mps
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// Memory that the sweep may take besides the model, in MiB [default: half of what is free, 4096 on a GPU]
    #[arg(long)]
    pub max_mib: Option<usize>,
    /// The directory for grid.csv and grid.svg
    #[arg(long, default_value = "target/patching_grid")]
    pub out: PathBuf,
    /// Download nothing
    #[arg(long)]
    pub offline: bool,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum PatchedSite {
    /// The residual stream entering each block
    #[default]
    ResidPre,
    /// The residual stream between attention and MLP
    ResidMid,
    /// The residual stream leaving each block
    ResidPost,
    /// What attention adds
    AttnOut,
    /// What the MLP adds
    MlpOut,
}

impl PatchedSite {
    pub fn of_layer(self) -> fn(usize) -> Site {
        match self {
            Self::ResidPre => Site::resid_pre,
            Self::ResidMid => Site::resid_mid,
            Self::ResidPost => Site::resid_post,
            Self::AttnOut => Site::attn_out,
            Self::MlpOut => Site::mlp_out,
        }
    }
}
