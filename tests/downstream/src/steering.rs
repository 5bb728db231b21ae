//! A direction between two activations, added while text is generated.

use hooked_gpt2::hook::{At, Capture, Positions, Site};
use hooked_gpt2::intervention::Interventions;
use hooked_gpt2::{Batch, Gpt2, Result, Tokenizer};

const LAYER: usize = 5;
const NEW_TOKENS: usize = 8;

/// How a prompt goes on, plain and steered.
pub fn continuation(model: &Gpt2, tokenizer: &Tokenizer) -> Result<String> {
    let texts = ["She was a very happy woman", "He was a very angry man"];
    let texts = texts.map(|text| tokenizer.encode(text));
    let texts = Batch::new(texts.into_iter().collect::<Result<Vec<_>>>()?)?;
    let last = Capture::new(Site::resid_post(LAYER)).positions(Positions::last());
    let kept = model.run(&texts).capture([&last]).without_logits().execute()?.activations;
    let direction = kept.get(&last, 0)?.f_sub(&kept.get(&last, 1)?)?;

    let mut hooks = Interventions::new();
    hooks.steer(At::resid_post(LAYER), &direction, 2.0)?;
    let prompt = Batch::single(tokenizer.encode("It was the best of")?)?;
    let plain = model.generate(&prompt, NEW_TOKENS).execute()?;
    let steered = model.generate(&prompt, NEW_TOKENS).hooks(&hooks).execute()?;
    let (plain, steered) =
        (tokenizer.decode(&plain.tokens[0])?, tokenizer.decode(&steered.tokens[0])?);
    Ok(format!("steering: {plain:?} becomes {steered:?}"))
}
