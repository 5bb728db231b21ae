//! A year that comes after another (Hanna et al. 2023).

use serde::Deserialize;

use super::Generator;
use super::words::{enough, fill, parse};
use crate::data::example::{Example, Place};
use crate::error::Result;

#[derive(Deserialize)]
struct Words {
    template: String,
    centuries: Vec<u32>,
    first_year: usize,
    last_year: usize,
    corrupted_year: usize,
    nouns: Vec<String>,
}

/// A century and a year of it.
type Date = (String, usize);

pub(super) fn examples(generator: &mut Generator<'_>, count: usize) -> Result<Vec<Example>> {
    let words: Words = parse(include_str!("greater_than.json"))?;
    let nouns = generator.single_tokens(words.nouns.clone())?;
    enough("nouns", &nouns, 1)?;
    let answers = generator.two_digits()?;
    let dates = dates(generator, &words)?;
    enough("dates, as century and year,", &dates, 1)?;
    let example = |_| {
        let noun = generator.choose(&nouns);
        let (century, year) = generator.choose(&dates);
        let prompt = |year: usize| {
            let year = format!("{year:02}");
            fill(&words.template, [("noun", noun), ("century", century), ("year", &year)])
        };
        let (text, date) = (prompt(*year), format!("{century}{year:02}"));
        let at = generator.first_token(&text, &date)?;
        let of = |earlier: bool| {
            let of = answers.iter().filter(move |answer| (answer.0 <= *year) == earlier);
            of.map(|answer| answer.1.clone())
        };
        let example = Example::new(text)
            .corrupted(prompt(words.corrupted_year))
            .right(of(false))
            .wrong(of(true))
            .position("noun", Place::text(noun))
            .position("century", Place::token(at))
            .position("year", Place::token(at + 1));
        let year = format!("{year:02}");
        Ok(example.label("noun", noun).label("century", century).label("year", year))
    };
    (0..count).map(example).collect()
}

/// Those that are two tokens, the century and the year, in a century whose corrupted year is, too.
fn dates(generator: &mut Generator<'_>, words: &Words) -> Result<Vec<Date>> {
    let mut dates = Vec::new();
    for century in words.centuries.iter().map(u32::to_string) {
        if !generator.is_century_and_year(&century, words.corrupted_year)? {
            generator.left_out.push(century);
            continue;
        }
        for year in words.first_year..=words.last_year {
            match generator.is_century_and_year(&century, year)? {
                true => dates.push((century.clone(), year)),
                false => generator.left_out.push(format!("{century}{year:02}")),
            }
        }
    }
    Ok(dates)
}

impl Generator<'_> {
    /// The years from 00 to 99 that are one token.
    fn two_digits(&mut self) -> Result<Vec<(usize, String)>> {
        let mut years = Vec::with_capacity(100);
        for year in 0..100 {
            let text = format!("{year:02}");
            match self.tokenizer.encode(&text)?.len() {
                1 => years.push((year, text)),
                _ => self.left_out.push(text),
            }
        }
        Ok(years)
    }

    fn is_century_and_year(&self, century: &str, year: usize) -> Result<bool> {
        let (century, year) = (format!(" {century}"), format!("{year:02}"));
        let date = self.tokenizer.encode(&format!("{century}{year}"))?;
        let parts = [self.tokenizer.encode(&century)?, self.tokenizer.encode(&year)?];
        Ok(parts.iter().all(|part| part.len() == 1) && parts.concat() == date)
    }
}
