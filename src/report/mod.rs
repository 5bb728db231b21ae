//! Writers for any result: aligned tables, CSV, JSON, figures, and a directory that holds them.
//!
//! They take numbers and labels, or all that a [sweep](crate::sweep::Results) measured, give text, and know neither
//! tensors nor experiments. The example
//! `einstein_sweep` composes its tables and figures of them.

mod csv;
#[cfg(feature = "plot")]
pub mod figure;
mod json;
mod output_dir;
mod results;
mod table;
mod visible;

pub use self::csv::{write_csv, write_csv_grid};
pub use json::write_json;
pub use output_dir::OutputDir;
pub use results::{write_results_csv, write_results_json};
pub use table::{Align, Table};
pub use visible::visible;
