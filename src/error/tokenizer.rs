//! Why a text or a tokenizer is of no use.

use std::path::PathBuf;

use super::{shown, shown_debug, shown_path, shown_reason};

/// Why a text or a tokenizer is of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// The tokenizer's files cannot be used.
    #[error("{path}: not a usable tokenizer: {reason}", path = shown_path(path), reason = shown_reason(reason))]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with them.
        reason: String,
    },
    /// A tokenizer is another than GPT-2's.
    #[error("{path}: `{part}` is {given}, allowed: {allowed}", path = shown_path(path), given = shown(given))]
    Part {
        /// The file.
        path: PathBuf,
        /// The part of it.
        part: &'static str,
        /// What it is.
        given: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// Encoding or decoding failed.
    #[error("the tokenizer cannot {operation} {given}: {reason}", given = shown(given), reason = shown_reason(reason))]
    Tokenize {
        /// `encode` or `decode`.
        operation: &'static str,
        /// What it was given.
        given: String,
        /// Why.
        reason: String,
    },
    /// A text that must be one token is none or several.
    #[error("{text} is {count} tokens {pieces}, exactly one is needed{}", in_a_sentence(text, *is_one_behind_a_space), text = shown_debug(text), count = pieces.len(), pieces = shown_debug(pieces))]
    NotOneToken {
        /// The text.
        text: String,
        /// The tokens that it is made of.
        pieces: Vec<String>,
        /// Whether it is one with a space before it, as a word inside a sentence is.
        is_one_behind_a_space: bool,
    },
}

fn in_a_sentence(text: &str, is_one: bool) -> String {
    if !is_one {
        return String::new();
    }
    format!("; {}, with the space before it, is one", shown_debug(&format!(" {text}")))
}
