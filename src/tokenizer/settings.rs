//! What is said of a tokenizer in its original form beside its vocabulary and merges.

use std::path::Path;

use serde_json::{Map, Value};
use tokenizers::AddedToken;

use super::files::Added;
use super::unusable;
use crate::error::{Result, shown};

const END_OF_TEXT: &str = "<|endoftext|>";
/// The special tokens that have a name, in the order in which they get ids. GPT-2's first three are
/// [`END_OF_TEXT`], as long as nothing else is said.
const NAMED: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
const WITH_DEFAULT: usize = 3;
/// Lists of more of them; the first that has any counts.
const OTHERS: [&str; 2] = ["extra_special_tokens", "additional_special_tokens"];
const DECODER: &str = "added_tokens_decoder";

/// `tokenizer_config.json` and `special_tokens_map.json`, as `transformers` reads them for a GPT-2.
#[derive(Debug, Default)]
pub struct Settings {
    pub add_prefix_space: bool,
    /// Tokens that are found in a text, with or without an id of their own.
    pub special: Vec<AddedToken>,
    /// Tokens with their ids, and all that is said of them. Where they are there, nothing else says which were added.
    pub decoder: Option<Added>,
}

impl Settings {
    /// Reads the contents of both files, an empty object for one that is not there.
    pub fn new(
        (mut config, path): (Map<String, Value>, &Path),
        (map, map_path): (Map<String, Value>, &Path),
    ) -> Result<Self> {
        let decoder = match config.get(DECODER) {
            Some(given) => Some(decoder(given).map_err(|reason| unusable(path, reason))?),
            None => None,
        };
        let mut named = special(&config).map_err(|reason| unusable(path, reason))?;
        if decoder.is_none() && !map.is_empty() {
            // The older file has the last word on what has a name; of lists, that of the newer file counts.
            let [list, older_list] = OTHERS;
            if let Some(tokens) = config.remove(older_list) {
                config.entry(list).or_insert(tokens);
            }
            config.extend(map);
            named = special(&config).map_err(|reason| unusable(map_path, reason))?;
        }
        let add_prefix_space = config.get("add_prefix_space").and_then(Value::as_bool);
        Ok(Self { add_prefix_space: add_prefix_space.unwrap_or_default(), special: named, decoder })
    }
}

fn special(settings: &Map<String, Value>) -> Result<Vec<AddedToken>, String> {
    let default = Value::from(END_OF_TEXT);
    let named = NAMED.into_iter().enumerate().filter_map(|(index, name)| {
        let default = (index < WITH_DEFAULT).then_some(&default);
        Some((name, settings.get(name).or(default)?))
    });
    let others = OTHERS.into_iter().find_map(|name| {
        let tokens = settings.get(name)?.as_array()?;
        (!tokens.is_empty()).then_some((name, tokens))
    });
    let others =
        others.into_iter().flat_map(|(name, tokens)| tokens.iter().map(move |token| (name, token)));
    let mut special: Vec<AddedToken> = Vec::new();
    for (name, given) in named.chain(others).filter(|(_, given)| !given.is_null()) {
        let token = token(given, true).ok_or_else(|| format!("`{name}` has what is no token"))?;
        // What is said last of a token is what it is, in the place where it was named first.
        match special.iter_mut().find(|other| other.content == token.content) {
            Some(other) => *other = token,
            None if token.content.is_empty() => {}
            None => special.push(token),
        }
    }
    Ok(special)
}

fn decoder(given: &Value) -> Result<Added, String> {
    let tokens = given.as_object().ok_or_else(|| format!("`{DECODER}` is no object"))?;
    let mut added = Added::new();
    for (id, given) in tokens {
        let is_special = given.get("special").and_then(Value::as_bool).unwrap_or_default();
        match (id.parse(), token(given, is_special)) {
            (Ok(id), Some(token)) => added.push((token, id)),
            _ => return Err(format!("`{}` in `{DECODER}` is no token with its id", shown(id))),
        }
    }
    Ok(added)
}

/// A token that is written as a text, or as an object with a `content`.
fn token(given: &Value, is_special: bool) -> Option<AddedToken> {
    if let Some(content) = given.as_str() {
        return Some(AddedToken::from(content, is_special));
    }
    let flag = |name| given.get(name).and_then(Value::as_bool);
    let token = AddedToken::from(given.get("content")?.as_str()?, is_special)
        .single_word(flag("single_word").unwrap_or_default())
        .lstrip(flag("lstrip").unwrap_or_default())
        .rstrip(flag("rstrip").unwrap_or_default());
    Some(match flag("normalized") {
        Some(normalized) => token.normalized(normalized),
        None => token,
    })
}
