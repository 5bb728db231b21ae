//! Indirect object identification (Wang et al. 2022).

use serde::Deserialize;

use super::Generator;
use super::names::Names;
use super::words::{enough, fill, parse};
use crate::data::example::{Example, Place};
use crate::error::Result;

#[derive(Deserialize)]
struct Words {
    templates: Vec<String>,
    places: Vec<String>,
    objects: Vec<String>,
}

/// Two names of the sentence, and three others of its corrupted partner.
const NAMES: usize = 5;

pub(super) fn examples(generator: &mut Generator<'_>, count: usize) -> Result<Vec<Example>> {
    let words: Words = parse(include_str!("indirect_object.json"))?;
    let names = Names::of(generator)?.all();
    enough("names", &names, NAMES)?;
    (0..count).map(|number| example(generator, &words, &names, number)).collect()
}

fn example(
    generator: &mut Generator<'_>,
    words: &Words,
    names: &[String],
    number: usize,
) -> Result<Example> {
    let [io, s, others @ ..] = generator.choose_several::<_, NAMES>(names);
    let template = generator.choose(&words.templates);
    let (place, object) = (generator.choose(&words.places), generator.choose(&words.objects));
    let (order, [first, second]) =
        if number.is_multiple_of(2) { ("ABBA", [io, s]) } else { ("BABA", [s, io]) };
    let sentence = |[first, second, subject]: [&String; 3]| {
        let names = [("first", first), ("second", second), ("S", subject)];
        fill(template, names.into_iter().chain([("place", place), ("object", object)]))
    };
    let text = sentence([first, second, s]);
    let behind_subject = 1 + generator.first_token(&text, s)?;
    let example = Example::new(text)
        .corrupted(sentence(others))
        .right([format!(" {io}")])
        .wrong([format!(" {s}")])
        .position("IO", Place::text(io))
        .position("S1", Place::occurrence(s, 0))
        .position("S1+1", Place::token(behind_subject))
        .position("S2", Place::occurrence(s, 1));
    Ok(example.label("order", order).label("template", template))
}
