//! Where in a prompt a place is.

use std::ops::Range;

use super::example::Place;
use crate::error::{DataError, Result};

/// The tokens of `place` in a prompt of `len` tokens. Of a text, `offsets` are each token's bytes.
pub(super) fn locate(
    place: &Place,
    len: usize,
    text: Option<(&str, &[Range<usize>])>,
) -> Result<Range<usize>> {
    let tokens = match (place, text) {
        (Place::Tokens(tokens), _) => tokens.clone(),
        (Place::Text { text: word, .. }, None) => {
            return Err(DataError::TextInTokens { text: word.clone() }.into());
        }
        (&Place::Text { text: ref word, occurrence }, Some((prompt, offsets))) => {
            let found: Vec<_> = whole_words(prompt, word).collect();
            let wanted = match (occurrence, found.len()) {
                (None, 1) => found.first(),
                (None, _) => None,
                (Some(occurrence), _) => found.get(occurrence),
            };
            let Some(bytes) = wanted else {
                let (text, found) = (word.clone(), found.len());
                return Err(DataError::Occurrence { text, found, occurrence }.into());
            };
            let overlaps = |of: &Range<usize>| of.start < bytes.end && bytes.start < of.end;
            let start = offsets.iter().position(overlaps).unwrap_or(0);
            let end = offsets.iter().rposition(overlaps).map_or(0, |last| last + 1);
            start..end
        }
    };
    if tokens.is_empty() || tokens.end > len {
        let Range { start, end } = tokens;
        return Err(DataError::Tokens { start, end, len }.into());
    }
    Ok(tokens)
}

/// The bytes of each occurrence of `word`, white space around it aside, that no letter or digit continues.
fn whole_words<'a>(prompt: &'a str, word: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
    let word = word.trim();
    let continues = |inner: Option<char>, outer: Option<char>| {
        [inner, outer].into_iter().all(|character| character.is_some_and(char::is_alphanumeric))
    };
    // Occurrences may overlap.
    let starts = prompt.char_indices().map(|(start, _)| start);
    let found = starts.filter(move |&start| prompt[start..].starts_with(word));
    found.map(move |start| start..start + word.len()).filter(move |bytes| {
        let (before, after) = (&prompt[..bytes.start], &prompt[bytes.end..]);
        !bytes.is_empty()
            && !continues(word.chars().next(), before.chars().next_back())
            && !continues(word.chars().next_back(), after.chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // A token for each word, its space in front.
    const TEXT: &str = "Then John and Johnson went. John’s";
    const OFFSETS: [Range<usize>; 8] = [0..4, 4..9, 9..13, 13..21, 21..26, 26..27, 27..32, 32..36];

    fn tokens(place: Place) -> Result<Range<usize>> {
        locate(&place, OFFSETS.len(), Some((TEXT, &OFFSETS)))
    }

    #[test]
    fn a_place_is_whole_words_of_the_text_or_tokens() {
        assert_eq!(tokens(Place::text("Johnson")).unwrap(), 3..4);
        assert_eq!(tokens(Place::occurrence(" John", 0)).unwrap(), 1..2);
        assert_eq!(tokens(Place::occurrence("John", 1)).unwrap(), 6..7);
        assert_eq!(tokens(Place::text("and Johnson went.")).unwrap(), 2..6);
        assert_eq!(tokens(Place::text("’s")).unwrap(), 7..8);
        assert_eq!(tokens(Place::token(7)).unwrap(), 7..8);
        assert_eq!(tokens(Place::Tokens(2..8)).unwrap(), 2..8);
    }

    #[test]
    fn a_place_that_is_none_says_why() {
        let error = |place| tokens(place).unwrap_err().to_string();
        assert_eq!(
            error(Place::text("John")),
            "`John` is 2 times a word of the prompt, once is needed, or an `occurrence`"
        );
        assert_eq!(
            error(Place::occurrence("John", 2)),
            "`John` is 2 times a word of the prompt, occurrence 2, counted from 0, is asked for"
        );
        assert_eq!(
            error(Place::text("")),
            "`` is 0 times a word of the prompt, once is needed, or an `occurrence`"
        );
        let outside =
            "tokens 7..9 are no place in a prompt of 8 tokens, allowed: one or more of 0..8";
        assert_eq!(error(Place::Tokens(7..9)), outside);
        let twice: Vec<_> = whole_words("ba a a a", "a a").collect();
        assert_eq!(twice, [3..6, 5..8]);
        assert!(tokens(Place::Tokens(3..3)).is_err());
        assert!(tokens(Place::token(usize::MAX)).is_err());
        assert!(locate(&Place::text("a"), 3, None).is_err());
    }
}
