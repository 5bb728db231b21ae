//! The device against the CPU.

use tch::Device;

use super::identity::Identity;
use super::report::LeftOut;
use super::subject::Subject;
use super::tally::Tally;
use crate::error::Result;
use crate::model::Gpt2;

const NAME: &str = "the device has the logits of the CPU";

/// Loads the model a second time, on the CPU, unless it is there already.
pub(super) fn check(subject: &Subject<'_>) -> Result<Result<Identity, LeftOut>> {
    if subject.model.device() == Device::Cpu {
        return Ok(Err(LeftOut { name: NAME, reason: "the device is the CPU" }));
    }
    let mut tally = Tally::new(NAME);
    let (model, _) = Gpt2::load(subject.checkpoint, subject.model.precision(), Device::Cpu)?;
    let on_cpu = model.run(&subject.batch).execute()?.logits;
    subject.compare(&mut tally, &subject.clean, &on_cpu, "the whole run")?;
    Ok(Ok(tally.finish()))
}
