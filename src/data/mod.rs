//! Prompts with answers and named places, and generators of tasks.
//!
//! An [`Example`] is what somebody writes down: a prompt, a corrupted partner, right and wrong answers, places with names.
//! [`Prompts`] are examples as a model reads them, with everything checked: [from a file](Prompts::read_jsonl), from
//! [a task of the literature](Task), or from one's own program.

mod bos;
mod example;
mod jsonl;
mod place;
mod prompts;
mod tasks;
mod unique_keys;

pub use bos::Bos;
pub use example::{Answer, Example, Place, Prompt};
pub use prompts::Prompts;
pub use tasks::Task;

pub use crate::error::{DataError, Origin};
