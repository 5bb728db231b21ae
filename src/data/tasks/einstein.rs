//! "Only passionately curious", in several forms.

use serde::Deserialize;

use super::words::parse;
use crate::data::example::{Example, Place};
use crate::error::Result;

/// How many forms there are.
pub(super) const COUNT: usize = 16;

#[derive(Deserialize)]
struct Words {
    answer: String,
    prompts: Vec<String>,
}

pub(super) fn examples(count: usize) -> Result<Vec<Example>> {
    let Words { answer, prompts } = parse(include_str!("einstein.json"))?;
    let example = |prompt: String| {
        let example = Example::new(prompt).right([answer.clone()]);
        example.position("passionately", Place::text("passionately"))
    };
    Ok(prompts.into_iter().take(count).map(example).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_as_the_task_says() {
        let words: Words = parse(include_str!("einstein.json")).unwrap();
        assert_eq!(words.prompts.len(), COUNT);
    }
}
