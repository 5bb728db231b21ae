//! Tasks of the literature, as generators of examples.

mod agreement;
mod einstein;
mod greater_than;
mod indirect_object;
mod induction;
mod names;
mod occupations;
mod pronouns;
mod words;

use std::fmt;
use std::str::FromStr;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::bos::Bos;
use super::example::Example;
use super::prompts::Prompts;
use crate::config::Config;
use crate::error::{DataError, Error, Result};
use crate::tokenizer::Tokenizer;

/// How long the sequences that [`Task::Induction`] repeats are, where nobody says.
const PERIOD: usize = 20;
/// More would fill the memory before anybody runs them.
const MOST: usize = 1_000_000;

/// A task of the literature. The templates are those of the papers; what an example was made of is in its labels.
///
/// | name | example, and its right answer | its corrupted partner | positions |
/// |---|---|---|---|
/// | `indirect_object`, `ioi` | When Mary and John went to the store, John gave a drink to · Mary, not John | three other names (ABC) | `IO`, `S1`, `S1+1`, `S2` |
/// | `greater_than` | The war lasted from the year 1732 to the year 17 · 33 to 99, not 00 to 32 | from the year 1701 | `noun`, `century`, `year` |
/// | `pronouns` | So Mary is such a good friend, isn't · she, not he | a name of the other pronoun | `name` |
/// | `occupations` | The nurse said that · she, as 90 % of nurses are women, not he | an occupation of the other pronoun | `occupation` |
/// | `agreement` | The keys near the table · are, not is | the first noun in the other number | `subject`, `other` |
/// | `induction` | random tokens, and their beginning once more · the token that came next | other tokens the first time | `earlier`, `next` |
/// | `einstein` | I have no special talents. I am only passionately · curious | | `passionately` |
///
/// Sources: Wang et al. 2022 (arXiv:2211.00593) for `indirect_object`, half of it ABBA (the indirect object is named
/// first) and half BABA, in turn; Hanna et al. 2023 (arXiv:2305.00586) for `greater_than`, with years from 02 to 98 and
/// centuries from 11 to 17; Mathwin et al. 2023 for `pronouns`; the labour statistics in Zhao et al. 2018
/// (arXiv:1804.06876) for `occupations`, whose "right" answer is the more frequent one and no judgement; Linzen et al.
/// 2016 (arXiv:1611.01368) for `agreement`; Olsson et al. 2022 (arXiv:2209.11895) for `induction`; and a letter of
/// Einstein's of 1952, with paraphrases, for `einstein`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Task {
    /// The second name of a sentence is named again, the first one is the answer.
    IndirectObject,
    /// A year that comes after another.
    GreaterThan,
    /// The pronoun of a name.
    Pronouns,
    /// The pronoun that goes with an occupation.
    Occupations,
    /// The number of a verb, with another noun between it and its subject.
    Agreement,
    /// Random tokens, repeated.
    Induction {
        /// After how many tokens they repeat, at least 2.
        period: usize,
    },
    /// "Only passionately curious", in several forms.
    Einstein,
}

/// What a generator has to work with.
struct Generator<'a> {
    tokenizer: &'a Tokenizer,
    rng: ChaCha8Rng,
    /// Words that are not one token, and so in no example.
    left_out: Vec<String>,
}

impl Task {
    /// Draws `count` examples. The same seed and tokenizer give the same ones.
    ///
    /// Names and answers that the tokenizer has not as one token are in none:
    /// [`Prompts::left_out`] lists them. Examples are drawn one by one, so that two may be the same; of `einstein`, there are
    /// 16, and the first `count` are taken.
    ///
    /// ```
    /// use hooked_gpt2::Checkpoint;
    /// use hooked_gpt2::data::{Bos, Task};
    ///
    /// let checkpoint = Checkpoint::bundled()?;
    /// let (tokenizer, config) = (checkpoint.tokenizer()?, checkpoint.config());
    /// let prompts = Task::IndirectObject.prompts(100, 0, tokenizer, config, Bos::Omit)?;
    /// let (clean, corrupted) = (prompts.batch()?, prompts.corrupted_batch()?);
    /// let again = prompts.positions("S2")?; // where the subject is named again
    /// # assert_eq!(clean.sequences()[7].len(), corrupted.sequences()[7].len());
    /// # assert_eq!(again.len(), 100);
    /// # Ok::<(), hooked_gpt2::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`DataError::Count`] for no example, more than a million, or more than there are, [`DataError::Period`],
    /// [`DataError::TooFewWords`] for a tokenizer that has
    /// too few words of the task as one token, [`DataError::Example`] for an example that is too long for the model.
    pub fn prompts(
        self,
        count: usize,
        seed: u64,
        tokenizer: &Tokenizer,
        config: &Config,
        bos: Bos,
    ) -> Result<Prompts> {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let mut generator = Generator { tokenizer, rng, left_out: Vec::new() };
        if count == 0 || count > self.most() {
            let (task, most) = (self.name(), self.most());
            return Err(DataError::Count { task, given: count, most }.into());
        }
        let examples: Vec<Example> = match self {
            Self::IndirectObject => indirect_object::examples(&mut generator, count),
            Self::GreaterThan => greater_than::examples(&mut generator, count),
            Self::Pronouns => pronouns::examples(&mut generator, count),
            Self::Occupations => occupations::examples(&mut generator, count),
            Self::Agreement => agreement::examples(&mut generator, count),
            Self::Induction { period } => {
                induction::examples(&mut generator, count, period, config.n_ctx)
            }
            Self::Einstein => einstein::examples(count),
        }?;
        let numbered = examples.into_iter().enumerate();
        let examples = numbered.map(|(number, example)| example.id(format!("{self}-{number}")));
        Ok(Prompts::new(examples, tokenizer, config, bos)?.without(generator.left_out))
    }

    fn name(self) -> &'static str {
        match self {
            Self::IndirectObject => "indirect_object",
            Self::GreaterThan => "greater_than",
            Self::Pronouns => "pronouns",
            Self::Occupations => "occupations",
            Self::Agreement => "agreement",
            Self::Induction { .. } => "induction",
            Self::Einstein => "einstein",
        }
    }

    fn most(self) -> usize {
        if self == Self::Einstein { einstein::COUNT } else { MOST }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Task {
    type Err = Error;

    /// Reads what `Display` writes, and `ioi`. The sequences of `induction` are then 20 tokens long.
    fn from_str(text: &str) -> Result<Self> {
        const ALL: [Task; 7] = [
            Task::IndirectObject,
            Task::GreaterThan,
            Task::Pronouns,
            Task::Occupations,
            Task::Agreement,
            Task::Induction { period: PERIOD },
            Task::Einstein,
        ];
        let known = ALL.into_iter().find(|task| task.name() == text);
        let known = known.or_else(|| (text == "ioi").then_some(Self::IndirectObject));
        known.ok_or_else(|| Error::UnknownName {
            what: "task",
            given: text.to_owned(),
            allowed: format!("{}, ioi", ALL.map(Self::name).join(", ")),
        })
    }
}
