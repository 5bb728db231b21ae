//! Tokens and merges that fit together.

use std::collections::HashMap;

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Model, Tokenizer as Inner};

use super::files::{Added, Merges, Tokens};
use super::guarded;
use crate::error::shown;

/// Builds GPT-2's tokenizer of a vocabulary.
///
/// # Errors
/// What is wrong with the vocabulary.
pub fn build(
    tokens: Tokens,
    merges: Merges,
    mut added: Added,
    add_prefix_space: bool,
) -> Result<Inner, String> {
    check(&tokens, &merges, &added)?;
    // In this order they get their ids.
    added.sort_by_key(|&(_, id)| id);
    let inner = guarded(|| {
        let vocab: Vocab = tokens.0.into_iter().collect();
        let bpe = BPE::builder().vocab_and_merges(vocab, merges.0).build()?;
        let mut inner = Inner::new(bpe);
        inner.with_pre_tokenizer(Some(ByteLevel::new(add_prefix_space, true, true)));
        inner.with_decoder(Some(ByteLevel::default()));
        inner.add_tokens(added.iter().map(|(token, _)| token.clone()))?;
        Ok(inner)
    })?;
    // The library has no way to say which id an added token shall have: it takes the next one.
    for (AddedToken { content, .. }, id) in &added {
        match inner.token_to_id(content) {
            Some(given) if given == *id => {}
            Some(given) => {
                let token = shown(content);
                return Err(format!("the added token `{token}` has the id {id}, allowed: {given}"));
            }
            None => return Err(format!("the added token with the id {id} is empty")),
        }
    }
    Ok(inner)
}

/// Adds the special tokens that are not among the added ones. One that the vocabulary does not have gets the next id,
/// unless that is beyond the `rows` of the embedding: a model that has no use for a token is no worse for it.
pub fn with_special(
    Tokens(tokens): &Tokens,
    mut added: Added,
    special: Vec<AddedToken>,
    rows: u32,
) -> Added {
    let ids: HashMap<&str, u32> = tokens.iter().map(|(token, id)| (token.as_str(), *id)).collect();
    let is_new = |(token, _): &&(AddedToken, u32)| !ids.contains_key(token.content.as_str());
    let mut next = tokens.len() as u32 + added.iter().filter(is_new).count() as u32;
    for token in special {
        if added.iter().any(|(other, _)| other.content == token.content) {
            continue;
        }
        if let Some(&id) = ids.get(token.content.as_str()) {
            added.push((token, id));
        } else if next < rows {
            added.push((token, next));
            next += 1;
        }
    }
    added
}

/// Checks what the library takes for granted: it lets one of two tokens with one id win by chance, and panics at
/// a merge whose result is longer than all tokens.
fn check(Tokens(tokens): &Tokens, Merges(merges): &Merges, added: &Added) -> Result<(), String> {
    let mut ids = HashMap::with_capacity(tokens.len());
    let mut names = HashMap::with_capacity(tokens.len());
    for (token, id) in tokens {
        if let Some(other) = ids.insert(token.as_str(), *id) {
            let token = shown(token);
            return Err(format!(
                "the token `{token}` is there twice, with the ids {other} and {id}"
            ));
        }
        if let Some(other) = names.insert(*id, token.as_str()) {
            return Err(same_id(other, token, *id));
        }
    }
    for (left, right) in merges {
        let result = format!("{left}{right}");
        if let Some(unknown) =
            [left, right, &result].into_iter().find(|&token| !ids.contains_key(token.as_str()))
        {
            let [left, right, unknown] = [left, right, unknown].map(|token| shown(token));
            return Err(format!(
                "the merge of `{left}` and `{right}` needs the token `{unknown}`, which is not there"
            ));
        }
    }
    let mut seen = HashMap::with_capacity(added.len());
    for (AddedToken { content, .. }, id) in added {
        if let Some(other) = seen.insert(content.as_str(), id) {
            let token = shown(content);
            return Err(format!(
                "the added token `{token}` is there twice, with the ids {other} and {id}"
            ));
        }
        match names.insert(*id, content) {
            Some(other) if other != content => return Err(same_id(other, content, *id)),
            _ => {}
        }
    }
    // It would cut the text where what it looks for begins behind where it ends, and panic. The two kinds, of which
    // the one is looked for in what the other has left, do not get in each other's way.
    let is_blank = |token: &AddedToken| token.content.chars().all(char::is_whitespace);
    for normalized in [false, true] {
        let mut alike = added.iter().map(|(token, _)| token).filter(|t| t.normalized == normalized);
        let greedy = alike.clone().find(|token| token.rstrip);
        let blank = alike.find(|token| token.lstrip && is_blank(token));
        if let (Some(greedy), Some(blank)) = (greedy, blank) {
            return Err(format!(
                "the added token `{}` takes the white space behind it (rstrip), and `{}`, which is some, that in \
                 front of it (lstrip)",
                shown(&greedy.content),
                shown(&blank.content),
            ));
        }
    }
    Ok(())
}

fn same_id(one: &str, other: &str, id: u32) -> String {
    format!("the tokens `{}` and `{}` have one id, {id}", shown(one), shown(other))
}

/// The bytes that a text cannot have: there is no token that they would be.
pub fn missing_bytes(inner: &Inner) -> Vec<u8> {
    let is_missing = |&byte: &u8| {
        let letter = letter(byte).to_string();
        // An added token of this letter is a letter, and no byte.
        inner.get_model().token_to_id(&letter).is_none()
    };
    (0..=u8::MAX).filter(is_missing).collect()
}

/// The letter that stands for a byte in the vocabulary: itself if it is printable, otherwise one from 256 on.
fn letter(byte: u8) -> char {
    let is_printable = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    if is_printable(&byte) {
        return byte.into();
    }
    let before = (0..byte).filter(|byte| !is_printable(byte)).count() as u32;
    char::from_u32(256 + before).unwrap_or(char::REPLACEMENT_CHARACTER)
}
