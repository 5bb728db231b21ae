//! Examples, as a model reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::bos::Bos;
use super::example::{Answer, Example, Prompt};
use super::place::locate;
use crate::batch::Batch;
use crate::config::Config;
use crate::error::{BatchError, DataError, Error, Origin, Result};
use crate::tokenizer::Tokenizer;

/// The place that every prompt has: its last token.
const END: &str = "END";

/// Examples of which everything is checked: the tokens that a model reads, the answers, and where the named places are.
///
/// ```
/// use hooked_gpt2::data::{Bos, Example, Place, Prompts};
/// # use hooked_gpt2::Checkpoint;
///
/// let checkpoint = Checkpoint::bundled()?;
/// let (tokenizer, config) = (checkpoint.tokenizer()?, checkpoint.config());
/// let example = Example::new("She was a very happy").right([" woman"]).position("who", Place::text("She"));
/// let prompts = Prompts::new([example], tokenizer, config, Bos::Prepend)?;
/// assert_eq!(prompts.batch()?.sequences()[0].len(), 6);
/// assert_eq!(prompts.positions("who")?, [1..2]);
/// assert_eq!(prompts.positions("END")?, [5..6]);
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompts {
    examples: Vec<Example>,
    read: Vec<Read>,
    bos: Bos,
    left_out: Vec<String>,
}

/// An example, as a model reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Read {
    /// Its number among the examples that were given, by which it is called if it has no id.
    number: usize,
    prompt: Vec<u32>,
    corrupted: Option<Vec<u32>>,
    right: Vec<u32>,
    wrong: Vec<u32>,
    positions: BTreeMap<String, Range<usize>>,
}

impl Prompts {
    /// Reads examples with a model's tokenizer.
    ///
    /// # Errors
    /// [`DataError::NoExamples`]; [`DataError::Example`] with the number of the first one that cannot be used and the
    /// reason: a prompt that is empty or longer than `n_ctx`, a token beyond the vocabulary, an answer that is not one
    /// token or both right and wrong, a place that is not there, an id that another has or is
    /// called by, having none.
    pub fn new(
        examples: impl IntoIterator<Item = Example>,
        tokenizer: &Tokenizer,
        config: &Config,
        bos: Bos,
    ) -> Result<Self> {
        let numbered = examples.into_iter().enumerate();
        Self::of(
            numbered.map(|(number, example)| Ok((Origin::Number(number), example))),
            (tokenizer, config, bos),
        )?
        .ok_or_else(|| DataError::NoExamples { path: None }.into())
    }

    /// The same of examples whose origin is known; none if there are none.
    pub(super) fn of(
        examples: impl Iterator<Item = Result<(Origin, Example)>>,
        reader: (&Tokenizer, &Config, Bos),
    ) -> Result<Option<Self>> {
        let (mut kept, mut read, mut ids) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (number, example) in examples.enumerate() {
            let (origin, example): (_, Example) = example?;
            let failed = |reason| DataError::Example { origin, reason: Box::new(reason) };
            // Without an id, an example is called by its number, which must be nobody else's id.
            let name = example.id.clone().unwrap_or_else(|| number.to_string());
            let is_taken = match &example.id {
                Some(id) => is_number_of_one(id, &kept) || !ids.insert(id.clone()),
                None => ids.contains(&name),
            };
            if is_taken {
                return Err(failed(DataError::SameId { id: name }.into()).into());
            }
            read.push(Read::new(number, &example, reader).map_err(failed)?);
            kept.push(example);
        }
        let prompts = Self { examples: kept, read, bos: reader.2, left_out: Vec::new() };
        Ok((!prompts.examples.is_empty()).then_some(prompts))
    }

    /// Remembers words that a generator left out.
    pub(super) fn without(self, left_out: Vec<String>) -> Self {
        Self { left_out, ..self }
    }

    /// How many examples there are.
    #[allow(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.examples.len()
    }

    /// The examples, as they were given.
    pub fn examples(&self) -> &[Example] {
        &self.examples
    }

    /// What an example is called: its id, or else its number among the examples that were given, from 0.
    /// [`filter`](Self::filter) leaves both as they are.
    pub fn id(&self, example: usize) -> String {
        let id = self.examples.get(example).and_then(|example| example.id.clone());
        let number = self.read.get(example).map_or(example, |read| read.number);
        id.unwrap_or_else(|| number.to_string())
    }

    /// Whether `<|endoftext|>` stands before each prompt.
    pub fn bos(&self) -> Bos {
        self.bos
    }

    /// The words of a [task](super::Task) that were left out because this tokenizer has them not as one token.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// The prompts.
    ///
    /// # Errors
    /// None: every prompt was checked.
    pub fn batch(&self) -> Result<Batch> {
        Batch::new(self.read.iter().map(|read| read.prompt.clone()))
    }

    /// Their corrupted partners.
    ///
    /// # Errors
    /// [`DataError::Missing`] unless all have one.
    pub fn corrupted_batch(&self) -> Result<Batch> {
        Batch::new(self.all("corrupted partner", |read| read.corrupted.clone())?)
    }

    /// The right answers of each.
    ///
    /// # Errors
    /// [`DataError::Missing`] unless all have one.
    pub fn right(&self) -> Result<Vec<Vec<u32>>> {
        self.all("right answer", |read| (!read.right.is_empty()).then(|| read.right.clone()))
    }

    /// The wrong answers of each.
    ///
    /// # Errors
    /// [`DataError::Missing`] unless all have one.
    pub fn wrong(&self) -> Result<Vec<Vec<u32>>> {
        self.all("wrong answer", |read| (!read.wrong.is_empty()).then(|| read.wrong.clone()))
    }

    /// The tokens of a named place in each prompt, counted as the model reads them: `<|endoftext|>`, where it is
    /// prepended, is token 0. `END` is the last token, unless an example says otherwise.
    ///
    /// # Errors
    /// [`DataError::Missing`] unless all have it.
    pub fn positions(&self, name: &str) -> Result<Vec<Range<usize>>> {
        self.all(&format!("position `{name}`"), |read| {
            let end = || (name == END).then(|| read.prompt.len() - 1..read.prompt.len());
            read.positions.get(name).cloned().or_else(end)
        })
    }

    /// Several named places, each with its [positions](Self::positions) in each prompt, as
    /// [`Variants::patched_places`](crate::sweep::Variants::patched_places) takes them.
    ///
    /// # Errors
    /// [`DataError::Missing`] unless all prompts have all of them.
    pub fn places(
        &self,
        names: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Vec<(String, Vec<Range<usize>>)>> {
        let names = names.into_iter().map(Into::into);
        names.map(|name| self.positions(&name).map(|positions| (name, positions))).collect()
    }

    /// The examples of which `keep` says so.
    ///
    /// ```
    /// # use hooked_gpt2::Checkpoint;
    /// use hooked_gpt2::data::{Bos, Task};
    ///
    /// # let checkpoint = Checkpoint::bundled()?;
    /// # let (tokenizer, config) = (checkpoint.tokenizer()?, checkpoint.config());
    /// let prompts = Task::Agreement.prompts(10, 0, tokenizer, config, Bos::Omit)?;
    /// let plural = prompts.filter(|example| example.labels["subject"] == "plural")?;
    /// # assert_eq!(plural.len(), 5);
    /// # Ok::<(), hooked_gpt2::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`DataError::NoExamples`] if it keeps none.
    pub fn filter(&self, keep: impl Fn(&Example) -> bool) -> Result<Self> {
        let kept = self.examples.iter().zip(&self.read).filter(|(example, _)| keep(example));
        let (examples, read): (Vec<_>, Vec<_>) =
            kept.map(|(example, read)| (example.clone(), read.clone())).unzip();
        if examples.is_empty() {
            return Err(DataError::NoExamples { path: None }.into());
        }
        Ok(Self { examples, read, bos: self.bos, left_out: self.left_out.clone() })
    }

    fn all<T>(&self, what: &str, part: impl Fn(&Read) -> Option<T>) -> Result<Vec<T>> {
        let part_of = |(number, read)| {
            let missing = || DataError::Missing { example: self.id(number), what: what.to_owned() };
            Ok(part(read).ok_or_else(missing)?)
        };
        self.read.iter().enumerate().map(part_of).collect()
    }
}

impl Read {
    fn new(number: usize, example: &Example, reader: (&Tokenizer, &Config, Bos)) -> Result<Self> {
        let (tokenizer, config, bos) = reader;
        let (prompt, offsets) = read(&example.prompt, "prompt", reader)?;
        let shift = usize::from(bos == Bos::Prepend);
        let text = match &example.prompt {
            Prompt::Text(text) => Some((text.as_str(), &offsets[..])),
            Prompt::Tokens(_) => None,
        };
        let positions = example.positions.iter().map(|(name, place)| {
            let Range { start, end } = locate(place, prompt.len() - shift, text)?;
            Ok((name.clone(), start + shift..end + shift))
        });
        let positions = positions.collect::<Result<_>>()?;
        let corrupted = example.corrupted.as_ref();
        let corrupted =
            corrupted.map(|other| read(other, "corrupted prompt", reader)).transpose()?;
        let answers = |given: &[Answer]| -> Result<Vec<u32>> {
            let tokens = given.iter().map(|answer| match answer {
                Answer::Text(text) => tokenizer.single_token(text),
                Answer::Token(token) => Ok(*token),
            });
            let tokens = tokens.collect::<Result<Vec<_>>>()?;
            check(&tokens, config)?;
            Ok(tokens)
        };
        let (right, wrong) = (answers(&example.right)?, answers(&example.wrong)?);
        if let Some(&token) = right.iter().find(|token| wrong.contains(token)) {
            return Err(DataError::RightAndWrong { token }.into());
        }
        let corrupted = corrupted.map(|(tokens, _)| tokens);
        Ok(Self { number, prompt, corrupted, right, wrong, positions })
    }
}

/// Whether one of the examples so far has no id and is called by this number.
fn is_number_of_one(id: &str, examples: &[Example]) -> bool {
    let number = id.parse::<usize>().ok().filter(|number| number.to_string() == id);
    number.and_then(|number| examples.get(number)).is_some_and(|example| example.id.is_none())
}

/// The tokens of a prompt, and each one's bytes in its text.
fn read(
    prompt: &Prompt,
    which: &'static str,
    (tokenizer, config, bos): (&Tokenizer, &Config, Bos),
) -> Result<(Vec<u32>, Vec<Range<usize>>)> {
    let (tokens, offsets) = match prompt {
        Prompt::Text(text) => tokenizer.encode_with_offsets(text)?,
        Prompt::Tokens(tokens) => (tokens.clone(), Vec::new()),
    };
    let empty = tokens.is_empty();
    let tokens = bos.begin(tokens, which, tokenizer)?;
    if empty || tokens.len() > config.n_ctx {
        let given = if empty { 0 } else { tokens.len() };
        return Err(DataError::Length { which, given, n_ctx: config.n_ctx }.into());
    }
    check(&tokens, config)?;
    Ok((tokens, offsets))
}

fn check(tokens: &[u32], config: &Config) -> Result<()> {
    let d_vocab = config.d_vocab;
    match tokens.iter().find(|&&token| token as usize >= d_vocab) {
        Some(&given) => Err(Error::from(BatchError::TokenOutOfRange { given, d_vocab })),
        None => Ok(()),
    }
}
