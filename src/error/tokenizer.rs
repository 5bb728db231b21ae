//! Why a text or a tokenizer is of no use.

use std::path::PathBuf;

/// Why a text or a tokenizer is of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// The tokenizer's files cannot be used.
    #[error("{path}: not a usable tokenizer: {reason}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The tokenizer library's reason.
        reason: String,
    },
    /// Encoding or decoding failed.
    #[error("the tokenizer cannot {operation} {given}: {reason}")]
    Tokenize {
        /// `encode` or `decode`.
        operation: &'static str,
        /// What it was given.
        given: String,
        /// The tokenizer library's reason.
        reason: String,
    },
    /// A text that must be one token is none or several.
    #[error("{text:?} is {count} tokens {pieces:?}, exactly one is needed", count = pieces.len())]
    NotOneToken {
        /// The text.
        text: String,
        /// The tokens that it is made of.
        pieces: Vec<String>,
    },
}
