//! A sweep, against a run for each of its variants.

use tch::Tensor;

use super::difference::of_logits;
use super::identity::Identity;
use super::subject::Subject;
use super::tally::Tally;
use crate::batch::Batch;
use crate::error::Result;
use crate::hook::{At, Positions};
use crate::intervention::Interventions;
use crate::sweep::{Axis, Sweep, Variants};

/// What a sweep over all layers, and over sequences of different lengths, gives at their last positions.
pub(super) fn check(subject: &Subject<'_>) -> Result<Identity> {
    let (model, batch) = (&subject.model, &subject.batch);
    let axes = [Axis::counting("layer", model.config().n_layers)];
    let variants = Variants::over(axes, |index, _| hooks(index[0]), batch)?;
    let plan = Sweep::new(model, batch).plan(&variants)?;
    let mut tally = Tally::new("a sweep gives each variant what its own run gives");
    plan.read(|reading| {
        let Some(&[layer]) = reading.index else { return Ok(()) };
        let alone = Batch::single(batch.sequences()[reading.sequence].as_slice())?;
        let hooks = hooks(layer)?;
        let run = model.run(&alone).hooks(&hooks).unembed(Positions::last());
        let (together, alone) = (reading.logits.to_vec(), run.execute()?.logits.last(0)?);
        let together = Tensor::f_from_slice(&together)?;
        let alone = Tensor::f_from_slice(&alone.to_vec())?;
        let (difference, allowed) = of_logits(model, &together, &alone)?;
        let sequence = reading.sequence;
        tally.book(difference, allowed, format_args!("block {layer}, sequence {sequence}"));
        Ok(())
    })?;
    Ok(tally.finish())
}

/// What leaves a block, one head where it matters most, or the inside of the MLP from some position on.
fn hooks(layer: usize) -> Result<Interventions> {
    let mut hooks = Interventions::new();
    match layer % 3 {
        0 => hooks.scale(At::resid_post(layer), 0.6)?,
        1 => hooks.scale(At::z(layer).heads([0]).positions(Positions::last()), -1.0)?,
        _ => hooks.scale(At::mlp_post(layer).positions(Positions::starting_at(0)), 0.5)?,
    };
    Ok(hooks)
}
