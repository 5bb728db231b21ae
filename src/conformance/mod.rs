//! Whether a model keeps what this crate promises: identities that hold for every GPT-2, checked on the
//! weights and the device at hand.
//!
//! What each identity says, and how far roundings may lead away from it, is written down in
//! [the guide](crate::guide::conformance).

mod batches;
mod blocks;
mod continuation;
mod devices;
mod difference;
mod identity;
mod report;
mod roundings;
mod sites;
mod subject;
mod sweeps;
mod tally;

use tch::Device;

use crate::checkpoint::Checkpoint;
use crate::error::Result;
use crate::precision::Precision;

pub use identity::{Bound, Identity};
pub use report::{ConformanceReport, LeftOut};

use blocks::BlockChecks;
use sites::SiteChecks;
use subject::Subject;

/// Loads `checkpoint` and checks the identities on it, with a few short sequences of token ids that
/// depend on the size of its vocabulary alone. `progress` is told how many of how many parts are done.
///
/// An identity that does not hold is no error: the [report](ConformanceReport) says so.
///
/// ```
/// use hooked_gpt2::{Checkpoint, Precision, conformance, tch::Device};
///
/// let checkpoint = Checkpoint::bundled()?;
/// let report = conformance::check(&checkpoint, Precision::F64, Device::Cpu, |_, _| {})?;
/// println!("{report}");
/// assert!(report.holds());
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
///
/// # Errors
/// Those of [`Gpt2::load`](crate::Gpt2::load) and of runs.
pub fn check(
    checkpoint: &Checkpoint,
    precision: Precision,
    device: Device,
    mut progress: impl FnMut(usize, usize),
) -> Result<ConformanceReport> {
    let subject = Subject::new(checkpoint, precision, device)?;
    let n_layers = subject.model.config().n_layers;
    // Before the blocks, each block, batches, sweeps, generation, another device.
    let parts = 1 + n_layers + 4;
    let mut done = 0;
    let mut step = || {
        progress(done, parts);
        done += 1;
    };

    let (mut sites, mut blocks) = (SiteChecks::new(), BlockChecks::new());
    step();
    sites.check(&subject, None)?;
    for layer in 0..n_layers {
        step();
        sites.check(&subject, Some(layer))?;
        blocks.check(&subject, layer)?;
    }
    let mut identities = sites.finish();
    identities.extend(blocks.finish());
    step();
    identities.extend(batches::check(&subject)?);
    step();
    identities.push(sweeps::check(&subject)?);
    step();
    identities.extend(continuation::check(&subject)?);
    step();
    let mut left_out = Vec::new();
    match devices::check(&subject)? {
        Ok(identity) => identities.push(identity),
        Err(without) => left_out.push(without),
    }
    step();
    Ok(ConformanceReport::new(&subject, identities, left_out))
}
