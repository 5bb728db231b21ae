//! Examples in files: a JSON object a line, or a prompt a line.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use serde::Serialize;
use serde::ser::Serializer;
use serde_json::{Map, Value};

use super::bos::Bos;
use super::example::{Answer, Example, Place, Prompt};
use super::prompts::Prompts;
use super::unique_keys::UniqueKeys;
use crate::config::Config;
use crate::error::{DataError, Error, Origin, Result};
use crate::files::regular_file::{self, RegularFile};
use crate::files::whole_file;
use crate::tokenizer::Tokenizer;

const FIELDS: &str = "id, prompt, corrupted, right, wrong, positions, labels";

impl Prompts {
    /// Reads a file of one JSON object a line; empty lines are passed over.
    ///
    /// | field | |
    /// |---|---|
    /// | `prompt` | a text, or a list of token ids; the only one that must be there |
    /// | `corrupted` | its partner, in the same form |
    /// | `right`, `wrong` | lists of answers, each a text that is one token, or a token id |
    /// | `positions` | by name: a word or span of the prompt (`"John"`), one of several (`{"text": "John", "occurrence": 1}`, from 0), a token (`4`), or tokens from one to before another (`[4, 7]`) |
    /// | `labels` | texts by name |
    /// | `id` | a text, that no other line has; a line without one is called by its number among the examples, from 0 |
    ///
    /// No object may have a key twice.
    ///
    /// Tokens count from 0 in the prompt itself, whether `<|endoftext|>` is prepended or not.
    ///
    /// # Errors
    /// [`DataError::Example`] with file and line, for whatever cannot be used; [`DataError::NoExamples`] for a file without
    /// a line; [`NotFound`](crate::error::FileError::NotFound) and the other cases of [`FileError`](crate::error::FileError).
    pub fn read_jsonl(
        path: impl AsRef<Path>,
        tokenizer: &Tokenizer,
        config: &Config,
        bos: Bos,
    ) -> Result<Self> {
        read(path.as_ref(), (tokenizer, config, bos), |line| {
            let UniqueKeys(value) = serde_json::from_str(line).map_err(|error| {
                // It counts the lines of the text that it was given, which is this one.
                let reason = error.to_string();
                let reason = reason
                    .rsplit_once(" at line 1 ")
                    .map_or(reason.clone(), |(what, place)| format!("{what} at {place}"));
                form(format!("malformed JSON ({reason})"), "one JSON object a line")
            })?;
            example(value)
        })
    }

    /// Reads a file of one prompt a line, which has no answers; empty lines are passed over, and white space at the
    /// ends of lines is part of the prompts.
    ///
    /// # Errors
    /// Those of [`read_jsonl`](Self::read_jsonl).
    pub fn read_text(
        path: impl AsRef<Path>,
        tokenizer: &Tokenizer,
        config: &Config,
        bos: Bos,
    ) -> Result<Self> {
        read(path.as_ref(), (tokenizer, config, bos), |line| Ok(Example::new(line)))
    }

    /// Writes the examples as [`read_jsonl`](Self::read_jsonl) reads them; the file is there whole or not at all.
    ///
    /// # Errors
    /// [`Write`](crate::error::FileError::Write).
    pub fn write_jsonl(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut content = Vec::new();
        for example in self.examples() {
            serde_json::to_writer(&mut content, &Line::from(example))
                .map_err(|error| Error::Bug(error.to_string()))?;
            content.push(b'\n');
        }
        whole_file::write(path.as_ref(), content)
    }
}

fn read(
    path: &Path,
    reader: (&Tokenizer, &Config, Bos),
    parse: impl Fn(&str) -> Result<Example>,
) -> Result<Prompts> {
    let content = RegularFile::open(path)?.content(regular_file::LARGE)?;
    let lines = content.split(|&byte| byte == b'\n').enumerate().filter_map(|(index, line)| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // Some editors begin a file with it.
        let line =
            if index == 0 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
        (!line.trim_ascii().is_empty()).then_some((index + 1, line))
    });
    let examples = lines.map(|(line, text)| {
        let origin = Origin::Line { path: path.to_owned(), line };
        let text = str::from_utf8(text).map_err(|_| form("bytes that are no UTF-8", "UTF-8"));
        match text.and_then(&parse) {
            Ok(example) => Ok((origin, example)),
            Err(reason) => Err(DataError::Example { origin, reason: Box::new(reason) }.into()),
        }
    });
    let prompts = Prompts::of(examples, reader)?;
    prompts.ok_or_else(|| DataError::NoExamples { path: Some(path.to_owned()) }.into())
}

fn form(given: impl Into<String>, allowed: &'static str) -> Error {
    DataError::Form { given: given.into(), allowed }.into()
}

fn example(value: Value) -> Result<Example> {
    let Value::Object(fields) = value else {
        return Err(form(value.to_string(), "one JSON object a line"));
    };
    let mut fields = Fields(fields);
    let Some(prompt) = fields.take("prompt") else {
        return Err(form("no field `prompt`", "a text, or a list of token ids"));
    };
    let mut example = Example::new(read_prompt(prompt)?);
    example.corrupted = fields.take("corrupted").map(read_prompt).transpose()?;
    example.id = fields.take("id").map(|id| read_text("id", id)).transpose()?;
    example.right = answers(fields.take("right"))?;
    example.wrong = answers(fields.take("wrong"))?;
    example.positions = by_name("positions", fields.take("positions"), place)?;
    example.labels = by_name("labels", fields.take("labels"), |label| read_text("a label", label))?;
    match fields.0.keys().next() {
        Some(unknown) => Err(form(format!("the field `{unknown}`"), FIELDS)),
        None => Ok(example),
    }
}

struct Fields(Map<String, Value>);

impl Fields {
    /// A field that is there and not null.
    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }
}

fn read_text(what: &str, value: Value) -> Result<String> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(form(format!("{what} {other}"), "a text")),
    }
}

fn read_prompt(value: Value) -> Result<Prompt> {
    const ALLOWED: &str = "a text, or a list of token ids";
    match value {
        Value::String(text) => Ok(Prompt::Text(text)),
        Value::Array(tokens) => {
            let token =
                |value: Value| token(&value).ok_or_else(|| form(value.to_string(), ALLOWED));
            Ok(Prompt::Tokens(tokens.into_iter().map(token).collect::<Result<_>>()?))
        }
        other => Err(form(other.to_string(), ALLOWED)),
    }
}

fn answers(value: Option<Value>) -> Result<Vec<Answer>> {
    const ALLOWED: &str = "a list of answers, each a text that is one token or a token id";
    let answer = |value: Value| match value {
        Value::String(text) => Ok(Answer::Text(text)),
        other => token(&other).map(Answer::Token).ok_or_else(|| form(other.to_string(), ALLOWED)),
    };
    match value {
        None => Ok(Vec::new()),
        Some(Value::Array(answers)) => answers.into_iter().map(answer).collect(),
        Some(other) => Err(form(other.to_string(), ALLOWED)),
    }
}

fn by_name<T>(
    what: &str,
    value: Option<Value>,
    read: impl Fn(Value) -> Result<T>,
) -> Result<BTreeMap<String, T>> {
    match value {
        None => Ok(BTreeMap::new()),
        Some(Value::Object(entries)) => {
            entries.into_iter().map(|(name, value)| Ok((name, read(value)?))).collect()
        }
        Some(other) => Err(form(format!("{what} {other}"), "an object of entries by name")),
    }
}

fn place(value: Value) -> Result<Place> {
    const ALLOWED: &str =
        "a text, {\"text\": …, \"occurrence\": …}, a token number, [first, one after the last]";
    let number = |value: &Value| token(value).map(|number| number as usize);
    let read = match &value {
        Value::String(text) => Some(Place::text(text)),
        Value::Number(_) => number(&value).map(Place::token),
        Value::Array(ends) => match &ends[..] {
            [start, end] => {
                number(start).zip(number(end)).map(|(start, end)| Place::Tokens(start..end))
            }
            _ => None,
        },
        Value::Object(fields) if fields.keys().all(|key| key == "text" || key == "occurrence") => {
            match (fields.get("text"), fields.get("occurrence")) {
                (Some(Value::String(text)), None) => Some(Place::text(text)),
                (Some(Value::String(text)), Some(occurrence)) => {
                    number(occurrence).map(|occurrence| Place::occurrence(text, occurrence))
                }
                _ => None,
            }
        }
        _ => None,
    };
    read.ok_or_else(|| form(value.to_string(), ALLOWED))
}

fn token(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|token| token.try_into().ok())
}

/// An example as a line has it, its fields in the order in which they are written.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    prompt: &'a Prompt,
    #[serde(skip_serializing_if = "Option::is_none")]
    corrupted: Option<&'a Prompt>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    right: &'a [Answer],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    wrong: &'a [Answer],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    positions: &'a BTreeMap<String, Place>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: &'a BTreeMap<String, String>,
}

impl<'a> From<&'a Example> for Line<'a> {
    fn from(example: &'a Example) -> Self {
        Self {
            id: example.id.as_deref(),
            prompt: &example.prompt,
            corrupted: example.corrupted.as_ref(),
            right: &example.right,
            wrong: &example.wrong,
            positions: &example.positions,
            labels: &example.labels,
        }
    }
}

impl Serialize for Prompt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.serialize(serializer),
            Self::Tokens(tokens) => tokens.serialize(serializer),
        }
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.serialize(serializer),
            Self::Token(token) => token.serialize(serializer),
        }
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Occurrence<'a> {
            text: &'a str,
            occurrence: usize,
        }
        match self {
            Self::Text { text, occurrence: None } => text.serialize(serializer),
            &Self::Text { ref text, occurrence: Some(occurrence) } => {
                Occurrence { text, occurrence }.serialize(serializer)
            }
            &Self::Tokens(Range { start, end }) if end == start.saturating_add(1) => {
                start.serialize(serializer)
            }
            Self::Tokens(tokens) => [tokens.start, tokens.end].serialize(serializer),
        }
    }
}
