//! The command line.

use clap::Parser;
use hooked_gpt2::Precision;
use hooked_gpt2::checkpoint::Source;

use crate::threads::Threads;

/// Check on a model of yours what holds for every GPT-2.
#[derive(Debug, Parser)]
#[command(max_term_width = 80)]
pub struct Arguments {
    /// A model of the hub, a directory, or `bundled`
    #[arg(long, value_name = "NAME|DIR|bundled", default_value = "bundled")]
    pub model: Source,
    /// The number format to compute in: f32, f64, or bf16, which is faster and less exact
    #[arg(long, default_value_t)]
    pub dtype: Precision,
    #[command(flatten)]
    pub threads: Threads,
    /// Where to compute: cpu, cuda, cuda:N or mps
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// Print the report as JSON, and nothing else
    #[arg(long)]
    pub json: bool,
    /// Download nothing
    #[arg(long)]
    pub offline: bool,
}
