//! Three interventions as a user writes them, from `docs/` alone: a line for each.

mod ablation;
mod patching;
mod reading;
mod steering;

use hooked_gpt2::tch::Device;
use hooked_gpt2::{Checkpoint, Gpt2, Precision, Result};

fn main() -> Result<()> {
    let checkpoint = Checkpoint::bundled()?;
    let (model, _report) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
    let tokenizer = checkpoint.tokenizer()?;
    println!("{}", ablation::worst_head(&model, tokenizer)?);
    println!("{}", patching::best_place(&model, tokenizer)?);
    println!("{}", steering::continuation(&model, tokenizer)?);
    Ok(())
}
