//! What a prompt makes of a word.

use hooked_gpt2::analysis::loss::negative_log_likelihood;
use hooked_gpt2::hook::{HookRegistry, Positions};
use hooked_gpt2::{Batch, Gpt2, Result};

/// The loss of `target` after the last token, in nats.
pub fn loss(model: &Gpt2, prompt: &Batch, hooks: &dyn HookRegistry, target: u32) -> Result<f64> {
    let output = model.run(prompt).hooks(hooks).unembed(Positions::last()).execute()?;
    negative_log_likelihood(output.logits.last(0)?.view(), target)
}
