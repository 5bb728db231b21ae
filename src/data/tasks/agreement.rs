//! A verb's number, with another noun before it (Linzen et al. 2016).

use serde::Deserialize;

use super::Generator;
use super::words::{enough, fill, parse};
use crate::data::example::{Example, Place};
use crate::error::Result;

#[derive(Deserialize)]
struct Words {
    templates: Vec<String>,
    singular: String,
    plural: String,
    /// In the singular, and in the plural.
    nouns: Vec<[String; 2]>,
}

pub(super) fn examples(generator: &mut Generator<'_>, count: usize) -> Result<Vec<Example>> {
    let words: Words = parse(include_str!("agreement.json"))?;
    let mut nouns = Vec::with_capacity(words.nouns.len());
    for [singular, plural] in words.nouns {
        // Prompt and partner are then of one length.
        let both = generator.single_tokens(vec![singular, plural])?;
        nouns.extend(<[String; 2]>::try_from(both));
    }
    enough("nouns in both numbers", &nouns, 2)?;
    let verbs = [words.singular, words.plural];
    let example = |number: usize| {
        let [subject, other] = generator.choose_several(&nouns);
        // All four combinations in turn.
        let (number, of_other) = (number % 2, number / 2 % 2);
        let template = generator.choose(&words.templates);
        let prompt = |number: usize| {
            fill(template, [("subject", &subject[number]), ("other", &other[of_other])])
        };
        Example::new(prompt(number))
            .corrupted(prompt(1 - number))
            .right([verbs[number].clone()])
            .wrong([verbs[1 - number].clone()])
            .position("subject", Place::text(&subject[number]))
            .position("other", Place::text(&other[of_other]))
            .label("subject", ["singular", "plural"][number])
            .label("other", ["singular", "plural"][of_other])
    };
    Ok((0..count).map(example).collect())
}
