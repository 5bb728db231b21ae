//! Inputs that nobody would write by hand.
//!
//! Each file has a `case`, which holds for any bytes; `SEEDS` or `seeds`, from which to begin; and `mutated`, which
//! makes of a file another one that is still nearly one. `tests/it/fuzzed_inputs.rs` runs them on seeded numbers, and
//! `fuzz/` on what libFuzzer finds.

pub mod config;
pub mod edits;
mod json;
mod model;
pub mod original_tokenizer;
pub mod safetensors;
pub mod sweeps;
pub mod tokenizer;

use std::error::Error as _;

use hooked_gpt2::{Error, Result};

/// The longest error that a person would read.
const LONGEST_ERROR: usize = 1500;

/// What went well. What did not has to say so in words: on one line, of a length that is read, and our own.
fn in_words<T>(result: Result<T>) -> Option<T> {
    let error = match result {
        Ok(value) => return Some(value),
        Err(error) => error,
    };
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        words = format!("{words}: {error}");
        source = error.source();
    }
    assert!(words.len() <= LONGEST_ERROR, "{} bytes of error: {words}", words.len());
    assert!(!words.contains(char::is_control), "{words:?}");
    assert!(!matches!(error, Error::Torch(_) | Error::Bug { .. }), "{words}");
    None
}
