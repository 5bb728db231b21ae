//! Results as tables, data files and figures: writers that know no tensor.

mod einstein_text;
#[cfg(feature = "plot")]
pub mod figure;
mod output_dir;

pub use einstein_text::{write_csv, write_json, write_text};
pub use output_dir::OutputDir;
