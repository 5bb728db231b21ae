//! The pronoun that goes with an occupation, by the numbers of Zhao et al. 2018.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Generator;
use super::words::{enough, fill, parse};
use crate::data::example::{Example, Place};
use crate::error::Result;

#[derive(Deserialize)]
struct Words {
    templates: Vec<String>,
    women: String,
    men: String,
    percent_women: BTreeMap<String, u32>,
}

pub(super) fn examples(generator: &mut Generator<'_>, count: usize) -> Result<Vec<Example>> {
    let words: Words = parse(include_str!("occupations.json"))?;
    // Prompt and partner are then of one length.
    let occupations = generator.single_tokens(words.percent_women.keys().cloned().collect())?;
    let percent = |occupation: &String| words.percent_women.get(occupation).copied().unwrap_or(0);
    let (of_women, of_men): (Vec<_>, Vec<_>) =
        occupations.into_iter().partition(|occupation| percent(occupation) >= 50);
    enough("occupations of women", &of_women, 1)?;
    enough("occupations of men", &of_men, 1)?;
    let (of_women, of_men) = ((&of_women, &words.women), (&of_men, &words.men));
    let example = |number: usize| {
        let (of_right, of_wrong) =
            if number.is_multiple_of(2) { (of_women, of_men) } else { (of_men, of_women) };
        let (occupation, other) = (generator.choose(of_right.0), generator.choose(of_wrong.0));
        let template = generator.choose(&words.templates);
        let prompt = |occupation| fill(template, [("occupation", occupation)]);
        Example::new(prompt(occupation))
            .corrupted(prompt(other))
            .right([of_right.1.clone()])
            .wrong([of_wrong.1.clone()])
            .position("occupation", Place::text(occupation))
            .label("occupation", occupation)
            .label("percent_women", percent(occupation))
            .label("template", template)
    };
    Ok((0..count).map(example).collect())
}
