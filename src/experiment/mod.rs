//! Named experiments: each is a value to configure and run, and its result a value to read.

pub mod einstein;
mod verdict;

pub use verdict::Verdict;
