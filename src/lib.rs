#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

pub mod analysis;
mod batch;
pub mod checkpoint;
mod config;
pub mod device;
mod error;
pub mod experiment;
pub mod hook;
pub mod intervention;
mod model;
mod precision;
pub mod report;
mod segment;
mod tokenizer;

pub use batch::Batch;
pub use checkpoint::Checkpoint;
pub use config::{Activation, Config};
pub use error::{Error, Result};
pub use model::{Gpt2, Logits, Run, RunOutput};
pub use precision::Precision;
pub use tch;
pub use tokenizer::Tokenizer;
