//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// Measure how the time of a sweep grows with variants, layers and positions, and draw it.
#[derive(Debug, Parser)]
pub struct Arguments {
    /// The directory of a checkpoint; random weights do
    pub checkpoint: PathBuf,
    /// How often each sweep is run both ways
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    pub rounds: u16,
    /// The directory for scaling.csv and scaling.svg
    #[arg(long, default_value = "target/scaling")]
    pub out: PathBuf,
}
