//! Text to GPT-2 tokens and back.

mod files;
mod settings;
mod vocabulary;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use serde_json::Map;
use tokenizers::{NormalizerWrapper, OffsetReferential, OffsetType, Tokenizer as Inner};

use crate::error::{Error, Result, TokenizerError};
use crate::files::regular_file::{self, RegularFile};
use settings::Settings;

/// A byte-level BPE tokenizer. It adds no special tokens: a prompt is exactly its text.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: Inner,
    /// Bytes that no token is made of. The library would leave them out of a text in silence.
    missing_bytes: Vec<u8>,
    id_count: usize,
}

/// The files of a tokenizer in its original form.
#[derive(Debug)]
pub(crate) struct Original {
    pub vocab: RegularFile,
    pub merges: RegularFile,
    pub added: Option<RegularFile>,
    pub config: Option<RegularFile>,
    pub special: Option<RegularFile>,
}

impl Tokenizer {
    /// Reads the content of a `tokenizer.json`, which must be GPT-2's: a byte-level BPE, with any vocabulary, merges and
    /// added tokens. `path` is only named in errors.
    ///
    /// What it may be saved with is left out where it would make of a prompt something else than its tokens:
    /// truncation and padding, the dropout of merges, and the post-processor, which adds special tokens.
    ///
    /// # Errors
    /// [`TokenizerError::Part`] for a part that is not GPT-2's; [`TokenizerError::File`] for a vocabulary that
    /// contradicts itself, and for a file that is none.
    pub fn from_json(content: &[u8], path: &Path) -> Result<Self> {
        let (tokens, merges, added, add_prefix_space) = files::tokenizer_json(content, path)?;
        let inner = vocabulary::build(tokens, merges, added, add_prefix_space);
        Ok(Self::new(inner.map_err(|reason| unusable(path, reason))?))
    }

    /// Builds GPT-2's tokenizer from its original `vocab.json` and `merges.txt`.
    ///
    /// # Errors
    /// [`TokenizerError::File`] naming the vocabulary or the merges; [`NotFound`](crate::error::FileError::NotFound)
    /// and the other cases of [`FileError`](crate::error::FileError).
    pub fn from_vocab_and_merges(vocab: &Path, merges: &Path) -> Result<Self> {
        let (vocab, merges) = (RegularFile::open(vocab)?, RegularFile::open(merges)?);
        let original = Original { vocab, merges, added: None, config: None, special: None };
        Self::from_original(&original, u32::MAX)
    }

    /// Builds a tokenizer of its original files, for a model that embeds as many tokens as `rows`.
    pub(crate) fn from_original(files: &Original, rows: u32) -> Result<Self> {
        let Original { vocab, merges, added, config, special } = files;
        let content = |file: &RegularFile| file.content(regular_file::LARGE);
        let tokens = files::vocab_json(&content(vocab)?, vocab.path())?;
        let merges = files::merges_txt(content(merges)?, merges.path())?;
        let settings = |file: &Option<RegularFile>| match file {
            Some(file) => files::settings_json(&file.content(regular_file::SMALL)?, file.path()),
            None => Ok(Map::new()),
        };
        let path = |file: &Option<RegularFile>| file.as_ref().unwrap_or(vocab).path().to_owned();
        let settings = Settings::new(
            (settings(config)?, &path(config)),
            (settings(special)?, &path(special)),
        )?;
        let Settings { add_prefix_space, special, decoder } = settings;
        let added = match (decoder, added) {
            (Some(added), _) => added,
            (None, Some(file)) => files::added_tokens_json(&content(file)?, file.path(), &special)?,
            (None, None) => Vec::new(),
        };
        let added = vocabulary::with_special(&tokens, added, special, rows);
        let inner = vocabulary::build(tokens, merges, added, add_prefix_space);
        Ok(Self::new(inner.map_err(|reason| unusable(vocab.path(), reason))?))
    }

    fn new(inner: Inner) -> Self {
        let missing_bytes = vocabulary::missing_bytes(&inner);
        let largest = inner.get_vocab(true).into_values().max();
        let id_count = largest.map_or(0, |largest| largest as usize + 1);
        Self { inner, missing_bytes, id_count }
    }

    /// The token ids of `text`; none for the empty text.
    ///
    /// # Errors
    /// [`TokenizerError::Tokenize`], for a text, too, that has bytes which no token is made of.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let failed = |reason| {
            let given = format!("{text:?}");
            Error::Tokenizer(TokenizerError::Tokenize { operation: "encode", given, reason })
        };
        if let Some(byte) = self.missing_byte(text).map_err(failed)? {
            return Err(failed(format!("it has no token for the byte 0x{byte:02x}")));
        }
        let encoding = guarded(|| self.inner.encode_fast(text, false)).map_err(failed)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The same, and the bytes of `text` that each token stands for, its space included.
    pub(crate) fn encode_with_offsets(&self, text: &str) -> Result<(Vec<u32>, Vec<Range<usize>>)> {
        let tokens = self.encode(text)?;
        let failed = |reason| {
            let given = format!("{text:?}");
            Error::Tokenizer(TokenizerError::Tokenize { operation: "encode", given, reason })
        };
        let encoding = guarded(|| self.inner.encode(text, false)).map_err(failed)?;
        let offsets = encoding.get_offsets().iter().map(|&(start, end)| start..end);
        Ok((tokens, offsets.collect()))
    }

    /// All tokens that a text is made of: those that were added, such as `<|endoftext|>`, are none.
    pub(crate) fn ordinary_tokens(&self) -> Vec<u32> {
        let added = self.inner.get_added_tokens_decoder();
        let mut tokens: Vec<u32> = self.inner.get_vocab(true).into_values().collect();
        tokens.retain(|token| !added.contains_key(token));
        tokens.sort_unstable();
        tokens
    }

    /// A byte of `text` outside the added tokens that no token is made of.
    fn missing_byte(&self, text: &str) -> Result<Option<u8>, String> {
        if self.missing_bytes.is_empty() {
            return Ok(None);
        }
        guarded(|| {
            let added = self.inner.get_added_vocabulary();
            let pieces = added.extract_and_normalize::<NormalizerWrapper>(None, text);
            let pieces = pieces.get_splits(OffsetReferential::Original, OffsetType::Byte);
            let bytes = pieces
                .into_iter()
                .filter(|(_, _, tokens)| tokens.is_none())
                .flat_map(|(piece, _, _)| piece.bytes());
            Ok(bytes.into_iter().find(|byte| self.missing_bytes.contains(byte)))
        })
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
        guarded(|| self.inner.decode(tokens, false)).map_err(failed)
    }

    /// The text of each of `tokens` by itself: what a column or an axis of tokens is labelled with. Joined they are the
    /// text, unless a character is made of several tokens: each of those is `�`. Printed with `{:?}`, spaces and line
    /// breaks can be seen.
    ///
    /// ```
    /// # let checkpoint = hooked_gpt2::Checkpoint::bundled()?;
    /// let tokenizer = checkpoint.tokenizer()?;
    /// let pieces = tokenizer.pieces(&tokenizer.encode("It was the best of")?)?;
    /// assert_eq!(pieces, ["It", " was", " the", " best", " of"]);
    /// # Ok::<(), hooked_gpt2::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`decode`](Self::decode).
    #[doc(alias = "to_str_tokens")]
    pub fn pieces(&self, tokens: &[u32]) -> Result<Vec<String>> {
        tokens.iter().map(|&token| self.decode(&[token])).collect()
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
                let (text, pieces) = (text.to_owned(), self.pieces(&tokens)?);
                let behind_a_space = self.encode(&format!(" {text}"));
                let is_word = text.starts_with(|first: char| !first.is_whitespace());
                let is_one_behind_a_space =
                    is_word && behind_a_space.is_ok_and(|tokens| tokens.len() == 1);
                Err(TokenizerError::NotOneToken { text, pieces, is_one_behind_a_space }.into())
            }
        }
    }

    /// One more than the largest token id: the rows that an embedding needs.
    pub fn id_count(&self) -> usize {
        self.id_count
    }
}

fn unusable(path: &Path, reason: String) -> Error {
    Error::Tokenizer(TokenizerError::File { path: path.to_owned(), reason })
}

/// Calls the tokenizer library, whose panics end here. What it was found to panic at is refused when the files
/// are read; this is for the rest. Such a panic is printed as the program prints all: a hook for panics is
/// every thread's, and none of ours to change.
fn guarded<T>(call: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(done) => done.map_err(|reason| reason.to_string()),
        Err(_) => Err("a panic in the tokenizer library".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_library_is_an_error() {
        assert_eq!(guarded::<()>(|| panic!()).unwrap_err(), "a panic in the tokenizer library");
    }
}
