//! One example, as somebody writes it down.

use std::collections::BTreeMap;
use std::ops::Range;

/// A prompt, what it is compared with, and what is asked of it.
///
/// ```
/// use hooked_gpt2::data::{Example, Place};
///
/// let example = Example::new("When Mary and John went to the store, John gave a drink to")
///     .corrupted("When Mary and John went to the store, Paul gave a drink to")
///     .right([" Mary"])
///     .wrong([" John"])
///     .position("S2", Place::occurrence("John", 1));
/// assert_eq!(example.positions.len(), 1);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Example {
    /// By which results name it. Without one it is called by its number, which then can be nobody else's id.
    pub id: Option<String>,
    /// What the model reads.
    pub prompt: Prompt,
    /// Its partner, in which what is asked about is changed.
    pub corrupted: Option<Prompt>,
    /// The answers that are right, each one token.
    pub right: Vec<Answer>,
    /// The answers that are wrong, each one token.
    pub wrong: Vec<Answer>,
    /// Places in `prompt` that have a name. `END`, the last token, needs no entry.
    pub positions: BTreeMap<String, Place>,
    /// Whatever else is to be known of it, such as the template that it was made of.
    pub labels: BTreeMap<String, String>,
}

/// A prompt: its text or its tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prompt {
    /// A text.
    Text(String),
    /// Token ids.
    Tokens(Vec<u32>),
}

/// An answer: a text that is one token, or the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A text; a word inside a sentence carries its space.
    Text(String),
    /// A token id.
    Token(u32),
}

/// A place in a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The tokens that a word or a span of text lies in. Only whole words count: `John` is not in `Johnson`.
    Text {
        /// The text.
        text: String,
        /// Which of its occurrences, from 0; none where there must be only one.
        occurrence: Option<usize>,
    },
    /// Tokens, counted from 0 in the prompt itself: a prepended `<|endoftext|>` does not count.
    Tokens(Range<usize>),
}

impl Example {
    /// An example of a prompt alone.
    pub fn new(prompt: impl Into<Prompt>) -> Self {
        Self {
            id: None,
            prompt: prompt.into(),
            corrupted: None,
            right: Vec::new(),
            wrong: Vec::new(),
            positions: BTreeMap::new(),
            labels: BTreeMap::new(),
        }
    }

    /// Gives it a name.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Gives it a corrupted partner.
    #[must_use]
    pub fn corrupted(mut self, prompt: impl Into<Prompt>) -> Self {
        self.corrupted = Some(prompt.into());
        self
    }

    /// Adds right answers.
    #[must_use]
    pub fn right<A: Into<Answer>>(mut self, answers: impl IntoIterator<Item = A>) -> Self {
        self.right.extend(answers.into_iter().map(Into::into));
        self
    }

    /// Adds wrong answers.
    #[must_use]
    pub fn wrong<A: Into<Answer>>(mut self, answers: impl IntoIterator<Item = A>) -> Self {
        self.wrong.extend(answers.into_iter().map(Into::into));
        self
    }

    /// Names a place in the prompt.
    #[must_use]
    pub fn position(mut self, name: impl Into<String>, place: Place) -> Self {
        self.positions.insert(name.into(), place);
        self
    }

    /// Adds a label.
    #[must_use]
    pub fn label(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.labels.insert(name.into(), value.to_string());
        self
    }
}

impl Place {
    /// The only occurrence of `text`.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), occurrence: None }
    }

    /// An occurrence of `text`, counted from 0.
    pub fn occurrence(text: impl Into<String>, occurrence: usize) -> Self {
        Self::Text { text: text.into(), occurrence: Some(occurrence) }
    }

    /// One token.
    pub const fn token(index: usize) -> Self {
        Self::Tokens(index..index.saturating_add(1))
    }
}

impl From<&str> for Prompt {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Prompt {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<u32>> for Prompt {
    fn from(tokens: Vec<u32>) -> Self {
        Self::Tokens(tokens)
    }
}

impl From<&str> for Answer {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Answer {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u32> for Answer {
    fn from(token: u32) -> Self {
        Self::Token(token)
    }
}
