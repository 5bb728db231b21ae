//! Text to GPT-2 tokens and back.

use std::path::Path;

use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer as Inner};

use crate::error::{Error, Result, TokenizerError};

/// A byte-level BPE tokenizer. It adds no special tokens: a prompt is exactly its text.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: Inner,
}

impl Tokenizer {
    /// Reads the content of a `tokenizer.json`, but for the truncation and padding that it may be saved with;
    /// `path` is only named in errors.
    ///
    /// # Errors
    /// [`TokenizerError::File`].
    pub fn from_json(content: &[u8], path: &Path) -> Result<Self> {
        let mut inner = Inner::from_bytes(content).map_err(|reason| unusable(path, &*reason))?;
        // Left over from training, they would cut prompts, or lengthen them.
        inner.with_truncation(None).map_err(|reason| unusable(path, &*reason))?;
        inner.with_padding(None);
        Ok(Self { inner })
    }

    /// Builds GPT-2's tokenizer from its original `vocab.json` and `merges.txt`.
    ///
    /// # Errors
    /// [`TokenizerError::File`] naming the vocabulary.
    pub fn from_vocab_and_merges(vocab: &Path, merges: &Path) -> Result<Self> {
        let bpe = BPE::from_file(&vocab.to_string_lossy(), &merges.to_string_lossy())
            .build()
            .map_err(|reason| unusable(vocab, &*reason))?;
        let mut inner = Inner::new(bpe);
        inner.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
        inner.with_decoder(Some(ByteLevel::default()));
        inner
            .add_special_tokens([AddedToken::from("<|endoftext|>", true)])
            .map_err(|reason| unusable(vocab, &*reason))?;
        Ok(Self { inner })
    }

    /// The token ids of `text`; none for the empty text.
    ///
    /// # Errors
    /// [`TokenizerError::Tokenize`].
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.inner.encode_fast(text, false).map_err(|reason| {
            Error::Tokenizer(TokenizerError::Tokenize {
                operation: "encode",
                given: format!("{text:?}"),
                reason: one_line(&*reason),
            })
        })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of `tokens`, special tokens included; bytes that are no UTF-8 become `�`.
    ///
    /// # Errors
    /// [`TokenizerError::Tokenize`].
    pub fn decode(&self, tokens: &[u32]) -> Result<String> {
        let failed = |reason: String| {
            let given = format!("{tokens:?}");
            Error::Tokenizer(TokenizerError::Tokenize { operation: "decode", given, reason })
        };
        // The tokenizer would leave them out in silence.
        if let Some(unknown) = tokens.iter().find(|&&id| self.inner.id_to_token(id).is_none()) {
            return Err(failed(format!("it has no token {unknown}")));
        }
        self.inner.decode(tokens, false).map_err(|reason| failed(one_line(&*reason)))
    }

    /// The one token that `text` is. A word inside a sentence carries its space: `" curious"`.
    ///
    /// # Errors
    /// [`TokenizerError::NotOneToken`] with the pieces that `text` falls into.
    pub fn single_token(&self, text: &str) -> Result<u32> {
        let tokens = self.encode(text)?;
        match tokens[..] {
            [token] => Ok(token),
            _ => {
                let pieces = tokens.iter().map(|&token| self.decode(&[token]));
                Err(TokenizerError::NotOneToken {
                    text: text.to_owned(),
                    pieces: pieces.collect::<Result<_>>()?,
                }
                .into())
            }
        }
    }

    /// One more than the largest token id: the rows that an embedding needs.
    pub fn id_count(&self) -> usize {
        self.inner.get_vocab(true).into_values().max().map_or(0, |largest| largest as usize + 1)
    }
}

fn unusable(path: &Path, reason: &dyn std::error::Error) -> Error {
    Error::Tokenizer(TokenizerError::File { path: path.to_owned(), reason: one_line(reason) })
}

fn one_line(reason: &dyn std::error::Error) -> String {
    reason.to_string().replace('\n', " ")
}
