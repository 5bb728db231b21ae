//! Random tokens, and their beginning once more (Olsson et al. 2022).

use rand::Rng;

use super::Generator;
use crate::data::example::{Example, Place};
use crate::error::{DataError, Result};

pub(super) fn examples(
    generator: &mut Generator<'_>,
    count: usize,
    period: usize,
    n_ctx: usize,
) -> Result<Vec<Example>> {
    if period < 2 || period >= n_ctx {
        return Err(DataError::Period { given: period, n_ctx }.into());
    }
    let tokens = generator.tokenizer.ordinary_tokens();
    // The token that follows must be known from its predecessor alone, and be another in the partner.
    let needed = 2 * period;
    if tokens.len() < needed {
        let what = "ordinary tokens";
        return Err(DataError::TooFewWords { what, given: tokens.len(), needed }.into());
    }
    let example = |_| {
        let drawn = generator.choose_each_once(&tokens, needed);
        let (first, other) = drawn.split_at(period);
        let last = generator.rng.random_range(0..period - 1);
        // The partner begins with other tokens, and what is repeated is repeated no more.
        let [prompt, corrupted] = [first, other].map(|begin| [begin, &first[..=last]].concat());
        Example::new(prompt)
            .corrupted(corrupted)
            .right([first[last + 1]])
            .wrong([other[last + 1]])
            .position("earlier", Place::token(last))
            .position("next", Place::token(last + 1))
            .label("period", period)
    };
    Ok((0..count).map(example).collect())
}

impl Generator<'_> {
    /// `count` of `tokens`, each another.
    fn choose_each_once(&mut self, tokens: &[u32], count: usize) -> Vec<u32> {
        let mut chosen = Vec::with_capacity(count);
        let mut taken = std::collections::BTreeSet::new();
        while chosen.len() < count {
            let drawn = *self.choose(tokens);
            if taken.insert(drawn) {
                chosen.push(drawn);
            }
        }
        chosen
    }
}
