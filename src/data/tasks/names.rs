//! Names, and the pronouns that they go with.

use serde::Deserialize;

use super::Generator;
use super::words::parse;
use crate::error::Result;

#[derive(Deserialize)]
pub(super) struct Names {
    pub women: Vec<String>,
    pub men: Vec<String>,
    either: Vec<String>,
}

impl Names {
    /// Those that are one token.
    pub fn of(generator: &mut Generator<'_>) -> Result<Self> {
        let Self { women, men, either } = parse(include_str!("names.json"))?;
        let mut single = |words| generator.single_tokens(words);
        Ok(Self { women: single(women)?, men: single(men)?, either: single(either)? })
    }

    /// All of them, in alphabetical order.
    pub fn all(self) -> Vec<String> {
        let mut all = [self.women, self.men, self.either].concat();
        all.sort_unstable();
        all
    }
}
