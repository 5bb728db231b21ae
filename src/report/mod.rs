//! Writers for any result: aligned tables, CSV, JSON, figures, and a directory that holds them.
//!
//! They take numbers and labels, or all that a [sweep](crate::sweep::Results) measured, give text, and know neither
//! tensors nor experiments. The example
//! `einstein_sweep` composes its tables and figures of them.

mod csv;
mod data_table;
mod difference;
mod document;
#[cfg(feature = "plot")]
pub mod figure;
#[cfg(feature = "html")]
mod html;
mod json;
mod manifest;
mod means;
mod output_dir;
mod results;
mod table;
mod visible;

pub use self::csv::{write_csv, write_csv_grid};
pub use data_table::{Cell, Column, DataTable};
pub use difference::ReportDifference;
pub use document::{AttentionView, Claim, Fact, LikelyWords, Part, PredictionsView, Report};
pub use json::write_json;
pub use manifest::Manifest;
pub use means::write_means_csv;
pub use output_dir::OutputDir;
pub use results::{write_results_csv, write_results_json};
pub use table::{Align, Table};
pub use visible::visible;
