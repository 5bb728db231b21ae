//! The least that a program of somebody else's does: depend on the crate, load a model, intervene, and read
//! what that did.

use hooked_gpt2::analysis::loss::negative_log_likelihood;
use hooked_gpt2::intervention::LayerScaling;
use hooked_gpt2::tch::Device;
use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, Result};

fn main() -> Result<()> {
    let checkpoint = Checkpoint::bundled()?;
    let (model, _report) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
    let prompt = Batch::single(checkpoint.tokenizer()?.encode("It was the best of")?)?;
    let target = checkpoint.tokenizer()?.single_token(" the")?;
    let clean = model.run(&prompt).execute()?.logits.last(0)?;
    let mut scaling = LayerScaling::new();
    scaling.insert(2, 0.6)?;
    let scaled = model.run(&prompt).hooks(&scaling).execute()?.logits.last(0)?;
    let [clean, scaled] =
        [clean, scaled].map(|logits| negative_log_likelihood(logits.view(), target));
    println!("loss {:.3} nats, with layer 2 scaled {:.3}", clean?, scaled?);
    Ok(())
}
