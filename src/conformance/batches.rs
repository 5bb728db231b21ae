//! Sequences side by side, against each alone.

use super::difference::of_logits;
use super::identity::Identity;
use super::subject::Subject;
use super::tally::Tally;
use crate::batch::Batch;
use crate::error::Result;
use crate::hook::{At, HookRegistry, NoHooks, Positions};
use crate::intervention::Interventions;
use crate::model::Logits;

/// What a batch of sequences of different lengths gives, with one registry for each too.
pub(super) fn check(subject: &Subject<'_>) -> Result<[Identity; 2]> {
    let mut plain = Tally::new("a batch of different lengths gives each what it gives alone");
    let no_hooks: Vec<&dyn HookRegistry> = vec![&NoHooks; subject.n_sequences()];
    against_alone(subject, &mut plain, &subject.clean, &no_hooks)?;

    let mut hooked = Tally::new("a registry for each sequence gives what it gives alone");
    let registries = registries(subject)?;
    let registries: Vec<&dyn HookRegistry> =
        registries.iter().map(|registry| registry as &dyn HookRegistry).collect();
    let run = subject.model.run(&subject.batch).hooks_for_each(&registries);
    against_alone(subject, &mut hooked, &run.execute()?.logits, &registries)?;
    Ok([plain.finish(), hooked.finish()])
}

/// Compares the logits of the batch with those of each sequence alone, with its own registry.
fn against_alone(
    subject: &Subject<'_>,
    tally: &mut Tally,
    together: &Logits,
    registries: &[&dyn HookRegistry],
) -> Result<()> {
    let sequences = subject.batch.sequences().iter().zip(registries).enumerate();
    for (sequence, (tokens, &hooks)) in sequences {
        let alone = Batch::single(tokens.as_slice())?;
        let alone = subject.model.run(&alone).hooks(hooks).execute()?.logits;
        let (together, alone) = (together.tensor(sequence)?, alone.tensor(0)?);
        let (difference, allowed) = of_logits(&subject.model, together, alone)?;
        tally.book(difference, allowed, format_args!("sequence {sequence}"));
    }
    Ok(())
}

/// Another kind of intervention for each sequence: at a position, at a head, on a whole block.
fn registries(subject: &Subject<'_>) -> Result<[Interventions; 3]> {
    let middle = subject.model.config().n_layers / 2;
    let mut registries = [(); 3].map(|()| Interventions::new());
    registries[0].scale(At::resid_pre(middle).positions(Positions::last()), 0.6)?;
    registries[1].scale(At::z(middle).heads([0]), -1.0)?;
    registries[2].skip(middle);
    Ok(registries)
}
