//! Why prompts are of no use.

use std::fmt;
use std::path::PathBuf;

use super::{Error, shown, shown_path};

/// Why prompts are of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// An example cannot be used.
    #[error("{origin}: {reason}")]
    Example {
        /// Where it comes from.
        origin: Origin,
        /// What is wrong with it.
        reason: Box<Error>,
    },
    /// A line is not what the format asks for.
    #[error("{given}, allowed: {allowed}", given = shown(given))]
    Form {
        /// What it is.
        given: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// A text is at no place, or at several, where it names one.
    #[error("`{text}` is {found} times a word of the prompt, {needed}", text = shown(text), needed = needed(*.occurrence))]
    Occurrence {
        /// The text.
        text: String,
        /// How often it is there.
        found: usize,
        /// Which occurrence is asked for, from 0; none where there must be only one.
        occurrence: Option<usize>,
    },
    /// A place is outside the prompt, or empty.
    #[error(
        "tokens {start}..{end} are no place in a prompt of {len} tokens, allowed: one or more of 0..{len}"
    )]
    Tokens {
        /// The first.
        start: usize,
        /// One after the last.
        end: usize,
        /// How many the prompt has.
        len: usize,
    },
    /// A place in a prompt of tokens is named by a text.
    #[error("`{text}` is looked for in a prompt that is given in tokens, allowed: token numbers", text = shown(text))]
    TextInTokens {
        /// The text.
        text: String,
    },
    /// A prompt is longer than the model can read.
    #[error("the {which} has {given} tokens, allowed: 1 to {n_ctx}")]
    Length {
        /// `prompt` or `corrupted prompt`.
        which: &'static str,
        /// Its tokens, with `<|endoftext|>` where it is prepended.
        given: usize,
        /// The model's longest sequence.
        n_ctx: usize,
    },
    /// `<|endoftext|>` is to be prepended where it already stands.
    #[error("the {which} begins with <|endoftext|> already, which is to be prepended")]
    AlreadyThere {
        /// `prompt` or `corrupted prompt`.
        which: &'static str,
    },
    /// An answer is both right and wrong.
    #[error("the token {token} is both a right and a wrong answer")]
    RightAndWrong {
        /// It.
        token: u32,
    },
    /// Two examples have one name: ids that are the same, or an id that is the number of an example without one.
    #[error("the id `{id}` is that of another example, too", id = shown(id))]
    SameId {
        /// The name.
        id: String,
    },
    /// Prompts lack what is asked of all of them.
    #[error(
        "example {example} has no {what}, which is needed of all",
        example = shown(example),
        what = shown(what)
    )]
    Missing {
        /// The first one that lacks it, by id or number.
        example: String,
        /// What it lacks.
        what: String,
    },
    /// There is no example.
    #[error("there is no example{}", in_file(.path))]
    NoExamples {
        /// The file that has none.
        path: Option<PathBuf>,
    },
    /// A tokenizer has too few words of a task as one token.
    #[error(
        "the tokenizer has {given} {what} of the task as one token, at least {needed} are needed"
    )]
    TooFewWords {
        /// What kind of words.
        what: &'static str,
        /// How many it has.
        given: usize,
        /// How many are needed.
        needed: usize,
    },
    /// A sequence cannot be repeated.
    #[error(
        "a sequence of {given} tokens cannot be repeated, allowed: 2 to {}, so that its beginning fits behind it",
        .n_ctx.saturating_sub(1)
    )]
    Period {
        /// How long it is.
        given: usize,
        /// The model's longest sequence.
        n_ctx: usize,
    },
    /// A task cannot give so many examples.
    #[error("the task `{task}` cannot give {given} examples, allowed: 1 to {most}")]
    Count {
        /// The task.
        task: &'static str,
        /// How many were asked for.
        given: usize,
        /// The most that there are.
        most: usize,
    },
}

/// Where an example comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// A line of a file, counted from 1.
    Line {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// Its place among those given, from 0.
    Number(usize),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { path, line } => write!(f, "{}, line {line}", shown_path(path)),
            Self::Number(number) => write!(f, "example {number}"),
        }
    }
}

fn needed(occurrence: Option<usize>) -> String {
    match occurrence {
        Some(occurrence) => format!("occurrence {occurrence}, counted from 0, is asked for"),
        None => "once is needed, or an `occurrence`".to_owned(),
    }
}

fn in_file(path: &Option<PathBuf>) -> String {
    path.as_ref().map_or(String::new(), |path| format!(" in {}", shown_path(path)))
}
