//! Whether a prompt begins with the end of another text.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::error::{DataError, Error, Result};
use crate::tokenizer::Tokenizer;

/// Whether `<|endoftext|>` stands before a prompt.
///
/// GPT-2 read it between documents, so at the beginning of each. TransformerLens prepends it unless told otherwise
/// (`prepend_bos`), Hugging Face's tokenizer does not. The first position takes part in no other token and attracts
/// attention whatever it holds, so that the two give other numbers, and published ones mostly come with it. There is no
/// default here: whoever makes prompts says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bos {
    /// The prompt is its text and nothing else.
    Omit,
    /// `<|endoftext|>` comes first.
    Prepend,
}

impl Bos {
    /// What [`Prepend`](Self::Prepend) prepends.
    pub const TEXT: &str = "<|endoftext|>";

    /// The tokens of `text` by this policy.
    ///
    /// ```
    /// # use hooked_gpt2::{Checkpoint, data::Bos};
    /// # let checkpoint = Checkpoint::bundled()?;
    /// # let tokenizer = checkpoint.tokenizer()?;
    /// let tokens = Bos::Prepend.encode("She was", tokenizer)?;
    /// assert_eq!(tokenizer.decode(&tokens)?, "<|endoftext|>She was");
    /// # Ok::<(), hooked_gpt2::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Tokenizer::encode`]; for [`Prepend`](Self::Prepend), [`DataError::AlreadyThere`], and
    /// [`NotOneToken`](crate::error::TokenizerError::NotOneToken) where the tokenizer has no such token.
    pub fn encode(self, text: &str, tokenizer: &Tokenizer) -> Result<Vec<u32>> {
        self.begin(tokenizer.encode(text)?, "prompt", tokenizer)
    }

    /// What a prompt of these tokens is by this policy; `which` names it in an error.
    pub(super) fn begin(
        self,
        mut tokens: Vec<u32>,
        which: &'static str,
        tokenizer: &Tokenizer,
    ) -> Result<Vec<u32>> {
        if self == Self::Prepend {
            let token = tokenizer.single_token(Self::TEXT)?;
            if tokens.first() == Some(&token) {
                return Err(DataError::AlreadyThere { which }.into());
            }
            tokens.insert(0, token);
        }
        Ok(tokens)
    }
}

impl Serialize for Bos {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Bos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Omit => "omit",
            Self::Prepend => "prepend",
        })
    }
}

impl FromStr for Bos {
    type Err = Error;

    /// Reads what `Display` writes.
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "omit" => Ok(Self::Omit),
            "prepend" => Ok(Self::Prepend),
            _ => Err(Error::UnknownName {
                what: "BOS policy",
                given: text.to_owned(),
                allowed: "omit, prepend".to_owned(),
            }),
        }
    }
}
