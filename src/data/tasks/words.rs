//! Words to draw from, of those that are one token.

use rand::Rng;
use serde::de::DeserializeOwned;

use super::Generator;
use crate::data::example::Place;
use crate::data::place::locate;
use crate::error::{DataError, Error, Result};

/// The content of a task's file, which comes with the crate.
pub(super) fn parse<T: DeserializeOwned>(json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| Error::Bug(format!("a task's file: {error}")))
}

impl Generator<'_> {
    /// Those of `words` that, behind a space, are one token; the others are left out, and listed.
    pub(super) fn single_tokens(&mut self, words: Vec<String>) -> Result<Vec<String>> {
        let mut single = Vec::with_capacity(words.len());
        for word in words {
            let is_single = self.tokenizer.encode(&format!(" {word}"))?.len() == 1;
            if is_single { single.push(word) } else { self.left_out.push(word) }
        }
        Ok(single)
    }

    /// One of `all`, of which there is at least one.
    pub(super) fn choose<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.rng.random_range(0..all.len())]
    }

    /// `N` of `all`, of which there are at least so many, each another.
    pub(super) fn choose_several<'a, T, const N: usize>(&mut self, all: &'a [T]) -> [&'a T; N] {
        let mut chosen: [usize; N] = [usize::MAX; N];
        for place in 0..N {
            chosen[place] = loop {
                let drawn = self.rng.random_range(0..all.len());
                if !chosen[..place].contains(&drawn) {
                    break drawn;
                }
            };
        }
        chosen.map(|index| &all[index])
    }

    /// The token with which a word of `text` begins, where it stands first.
    pub(super) fn first_token(&self, text: &str, word: &str) -> Result<usize> {
        let (tokens, offsets) = self.tokenizer.encode_with_offsets(text)?;
        let place = Place::occurrence(word, 0);
        Ok(locate(&place, tokens.len(), Some((text, &offsets)))?.start)
    }
}

/// Whether there are enough of them to make examples.
pub(super) fn enough<T>(what: &'static str, words: &[T], needed: usize) -> Result<()> {
    match words.len() {
        given if given < needed => Err(DataError::TooFewWords { what, given, needed }.into()),
        _ => Ok(()),
    }
}

/// Puts words into a template, in the place of their names in braces.
pub(super) fn fill<'a>(
    template: &str,
    words: impl IntoIterator<Item = (&'a str, &'a String)>,
) -> String {
    words
        .into_iter()
        .fold(template.to_owned(), |text, (name, word)| text.replace(&format!("{{{name}}}"), word))
}
