//! What the files of a tokenizer say.

use std::fmt;
use std::path::Path;

use serde::de::{
    Deserialize, DeserializeOwned, Deserializer, Error as _, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Map, Number, Value};
use tokenizers::AddedToken;

use super::unusable;
use crate::error::{Error, Result, TokenizerError, shown};

/// The most entries of a list: four times as many tokens as the largest vocabularies in use have. Each takes
/// some hundred bytes of memory for a few of the file.
const MOST_ENTRIES: usize = 1 << 20;

/// Tokens with their ids, in the order of the file.
#[derive(Debug)]
pub struct Tokens(pub Vec<(String, u32)>);

/// Pairs of tokens that are merged, the first before the others.
#[derive(Debug)]
pub struct Merges(pub Vec<(String, String)>);

/// Tokens that are found in a text before it is cut into others, with their ids.
pub type Added = Vec<(AddedToken, u32)>;

/// The content of a `tokenizer.json`, which must be GPT-2's.
///
/// `transformers` itself, too, takes nothing but vocabulary, merges and added tokens from the file of a GPT-2, and
/// makes the rest anew, unless the file's class is said to be another: where the rest is not GPT-2's, a file
/// has two readings. And the tokenizer library panics on some of what could be there: on merges with a prefix
/// that is longer than a token, and on decoders that strip more than a token has. It cuts a prefix off within a
/// character, too, which is worse.
pub fn tokenizer_json(content: &[u8], path: &Path) -> Result<(Tokens, Merges, Added, bool)> {
    let file: Parts = json(content, path)?;
    let add_prefix_space = file.check(path)?;
    let File { model, added_tokens } = json(content, path)?;
    let added = added_tokens.into_iter().map(AddedTokenWithId::into_added).collect();
    Ok((model.vocab, model.merges, added, add_prefix_space))
}

/// The content of a `vocab.json`.
pub fn vocab_json(content: &[u8], path: &Path) -> Result<Tokens> {
    json(content, path)
}

/// The content of an `added_tokens.json`.
pub fn added_tokens_json(content: &[u8], path: &Path, special: &[AddedToken]) -> Result<Added> {
    let Tokens(tokens) = json(content, path)?;
    let added = tokens.into_iter().map(|(token, id)| {
        let is_special = special.iter().any(|special| special.content == token);
        (AddedToken::from(token, is_special), id)
    });
    Ok(added.collect())
}

/// The content of a file of settings, which may have more than is of use.
pub fn settings_json(content: &[u8], path: &Path) -> Result<Map<String, Value>> {
    json(content, path)
}

/// The content of a `merges.txt`: a pair on each line, but for the one that names the version.
pub fn merges_txt(content: Vec<u8>, path: &Path) -> Result<Merges> {
    let content = String::from_utf8(content).map_err(|error| unusable(path, error.to_string()))?;
    let mut merges = Vec::new();
    for (number, line) in content.lines().enumerate() {
        if line.starts_with("#version") {
            continue;
        }
        let pair = pair(line)
            .map_err(|reason| unusable(path, format!("line {}: {reason}", number + 1)))?;
        if merges.len() == MOST_ENTRIES {
            return Err(unusable(path, too_many("merges")));
        }
        merges.push(pair);
    }
    Ok(Merges(merges))
}

fn json<T: DeserializeOwned>(content: &[u8], path: &Path) -> Result<T> {
    serde_json::from_slice(content).map_err(|error| unusable(path, error.to_string()))
}

/// The two tokens of a merge that is written as one text.
fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once(' ') {
        Some((left, right)) if !right.contains(' ') => Ok((left.to_owned(), right.to_owned())),
        _ => Err(format!("`{}` is not two tokens with a space between them", shown(text))),
    }
}

fn too_many(what: &str) -> String {
    format!("more than {MOST_ENTRIES} {what}")
}

/// All of a `tokenizer.json` but for its long lists.
#[derive(serde::Deserialize)]
#[serde(expecting = "an object, the tokenizer")]
struct Parts {
    version: Option<String>,
    normalizer: Option<Part>,
    pre_tokenizer: Option<Part>,
    decoder: Option<Part>,
    model: Model,
}

#[derive(serde::Deserialize)]
#[serde(expecting = "an object with a `type`, or null")]
struct Part {
    #[serde(rename = "type")]
    name: String,
    #[serde(default)]
    add_prefix_space: bool,
    #[serde(default = "yes")]
    use_regex: bool,
}

fn yes() -> bool {
    true
}

#[derive(serde::Deserialize)]
#[serde(expecting = "an object, the model")]
struct Model {
    /// Missing in the oldest files, GPT-2's own among them.
    #[serde(rename = "type")]
    name: Option<String>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    byte_fallback: Option<bool>,
    ignore_merges: Option<bool>,
}

impl Parts {
    /// Fails with the first part that is not GPT-2's, and says whether texts get a space in front.
    fn check(&self, path: &Path) -> Result<bool> {
        let check = |part, given: &str, allowed| {
            if given == allowed {
                return Ok(());
            }
            let (path, given) = (path.to_owned(), given.to_owned());
            Err(Error::Tokenizer(TokenizerError::Part { path, part, given, allowed }))
        };
        fn name(part: &Option<Part>) -> &str {
            part.as_ref().map_or("null", |part| &part.name)
        }
        fn flag(is_set: Option<bool>) -> &'static str {
            if is_set == Some(true) { "true" } else { "false" }
        }
        let Model { name: model, continuing_subword_prefix, end_of_word_suffix, .. } = &self.model;
        check("version", self.version.as_deref().unwrap_or("1.0"), "1.0")?;
        check("model.type", model.as_deref().unwrap_or("BPE"), "BPE")?;
        check(
            "model.continuing_subword_prefix",
            continuing_subword_prefix.as_deref().unwrap_or_default(),
            "",
        )?;
        check("model.end_of_word_suffix", end_of_word_suffix.as_deref().unwrap_or_default(), "")?;
        check("model.byte_fallback", flag(self.model.byte_fallback), "false")?;
        check("model.ignore_merges", flag(self.model.ignore_merges), "false")?;
        check("normalizer", name(&self.normalizer), "null")?;
        check("pre_tokenizer", name(&self.pre_tokenizer), "ByteLevel")?;
        check("decoder", name(&self.decoder), "ByteLevel")?;
        let by_words = self.pre_tokenizer.as_ref().map(|part| part.use_regex);
        check("pre_tokenizer.use_regex", flag(by_words), "true")?;
        Ok(self.pre_tokenizer.as_ref().is_some_and(|part| part.add_prefix_space))
    }
}

/// The long lists of a `tokenizer.json`.
#[derive(serde::Deserialize)]
#[serde(expecting = "an object, the tokenizer")]
struct File {
    #[serde(default)]
    added_tokens: Vec<AddedTokenWithId>,
    model: Lists,
}

#[derive(serde::Deserialize)]
#[serde(expecting = "an object, the model")]
struct Lists {
    vocab: Tokens,
    merges: Merges,
}

#[derive(serde::Deserialize)]
#[serde(expecting = "an object, the added token")]
struct AddedTokenWithId {
    #[serde(deserialize_with = "id")]
    id: u32,
    content: String,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
    normalized: bool,
    special: bool,
}

impl AddedTokenWithId {
    fn into_added(self) -> (AddedToken, u32) {
        let token = AddedToken::from(self.content, self.special)
            .single_word(self.single_word)
            .lstrip(self.lstrip)
            .rstrip(self.rstrip)
            .normalized(self.normalized);
        (token, self.id)
    }
}

fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    checked_id(&Number::deserialize(deserializer)?, "an added token")
}

fn checked_id<E: serde::de::Error>(id: &Number, whose: &str) -> Result<u32, E> {
    id.as_u64().and_then(|id| u32::try_from(id).ok()).ok_or_else(|| {
        E::custom(format_args!("{whose} has the id {id}, allowed: 0 to {}", u32::MAX))
    })
}

impl<'de> Deserialize<'de> for Tokens {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TokensVisitor)
    }
}

struct TokensVisitor;

impl<'de> Visitor<'de> for TokensVisitor {
    type Value = Tokens;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tokens with their ids")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tokens, A::Error> {
        let mut tokens = Vec::new();
        while let Some((token, id)) = map.next_entry::<String, Number>()? {
            if tokens.len() == MOST_ENTRIES {
                return Err(A::Error::custom(too_many("tokens")));
            }
            let id = checked_id(&id, &format!("the token `{}`", shown(&token)))?;
            tokens.push((token, id));
        }
        Ok(Tokens(tokens))
    }
}

impl<'de> Deserialize<'de> for Merges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(MergesVisitor)
    }
}

struct MergesVisitor;

impl<'de> Visitor<'de> for MergesVisitor {
    type Value = Merges;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of merges")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Merges, A::Error> {
        let mut merges = Vec::new();
        while let Some(Merge(left, right)) = list.next_element()? {
            if merges.len() == MOST_ENTRIES {
                return Err(A::Error::custom(too_many("merges")));
            }
            merges.push((left, right));
        }
        Ok(Merges(merges))
    }
}

struct Merge(String, String);

impl<'de> Deserialize<'de> for Merge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MergeVisitor)
    }
}

struct MergeVisitor;

impl<'de> Visitor<'de> for MergeVisitor {
    type Value = Merge;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a merge, `\"a b\"` or `[\"a\", \"b\"]`")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Merge, E> {
        pair(text).map(|(left, right)| Merge(left, right)).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Merge, A::Error> {
        match (list.next_element()?, list.next_element()?, list.next_element::<String>()?) {
            (Some(left), Some(right), None) => Ok(Merge(left, right)),
            _ => Err(A::Error::custom("a merge is not two tokens")),
        }
    }
}
