//! The pronoun of a name, in a tag question (Mathwin et al. 2023).

use serde::Deserialize;

use super::Generator;
use super::names::Names;
use super::words::{enough, fill, parse};
use crate::data::example::{Example, Place};
use crate::error::Result;

#[derive(Deserialize)]
struct Words {
    template: String,
    women: String,
    men: String,
    adjectives: Vec<String>,
    nouns: Vec<String>,
}

pub(super) fn examples(generator: &mut Generator<'_>, count: usize) -> Result<Vec<Example>> {
    let words: Words = parse(include_str!("pronouns.json"))?;
    let names = Names::of(generator)?;
    enough("names of women", &names.women, 1)?;
    enough("names of men", &names.men, 1)?;
    let (women, men) = ((&names.women, &words.women), (&names.men, &words.men));
    let example = |number: usize| {
        let (of_right, of_wrong) =
            if number.is_multiple_of(2) { (women, men) } else { (men, women) };
        let (name, other) = (generator.choose(of_right.0), generator.choose(of_wrong.0));
        let adjective = generator.choose(&words.adjectives);
        let noun = generator.choose(&words.nouns);
        let prompt = |name| {
            fill(&words.template, [("name", name), ("adjective", adjective), ("noun", noun)])
        };
        Example::new(prompt(name))
            .corrupted(prompt(other))
            .right([of_right.1.clone()])
            .wrong([of_wrong.1.clone()])
            .position("name", Place::text(name))
            .label("name", name)
    };
    Ok((0..count).map(example).collect())
}
