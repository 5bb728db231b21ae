//! Causal interventions on GPT-2, on libtorch.
//!
//! Load a [`Checkpoint`] into a [`Gpt2`], say what to change in a
//! [`HookRegistry`](hook::HookRegistry), [run](Gpt2::run) it, and read what that did to the model's
//! words with [`analysis`].
//!
//! ```
//! use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, intervention::LayerScaling, tch::Device};
//!
//! let checkpoint = Checkpoint::bundled()?;
//! let (model, _report) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
//! let prompt = Batch::single(checkpoint.tokenizer()?.encode("It was the best of")?)?;
//!
//! let mut scaling = LayerScaling::new();
//! scaling.insert(2, 0.6)?;
//! let output = model.run(&prompt).hooks(&scaling).execute()?;
//! assert!(output.ledger.entries()[0].change_l2 > 0.0);
//! # Ok::<(), hooked_gpt2::Error>(())
//! ```
//!
//! | module | |
//! |---|---|
//! | [`experiment`] | named experiments: the Einstein sweep |
//! | [`report`] | their results as tables, data files and figures |
//! | [`sweep`] | many variants of a run, each thing computed once |
//! | [`intervention`] | the edits, and the registries that hold them |
//! | [`hook`] | sites, selections, registries, ledgers |
//! | [`analysis`] | loss, entropy, rank, correlation, spread |
//! | [`conformance`] | identities, checked on a model of yours |
//! | [`checkpoint`] | directories, the hub, the bundled model |

#![warn(missing_docs)]

pub mod analysis;
mod batch;
pub mod checkpoint;
mod config;
pub mod conformance;
pub mod device;
mod dispatch;
pub mod error;
pub mod experiment;
pub mod hook;
pub mod intervention;
mod layout;
mod model;
mod nearest;
mod precision;
pub mod report;
mod site;
pub mod sweep;
mod tokenizer;
mod whole_file;

pub use batch::Batch;
pub use checkpoint::Checkpoint;
pub use config::{Activation, Config};
pub use dispatch::{Activations, Ledger, LedgerEntry, Work};
pub use error::{Error, Result};
pub use model::{Effect, Generated, Generation, Gpt2, Logits, Parameter, Run, RunOutput, Sampling};
pub use precision::Precision;
pub use tch;
pub use tokenizer::Tokenizer;

/// The snippets of the README and of `docs/`, compiled and run with the doctests.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/batches.md")]
    struct Batches;
    #[doc = include_str!("../docs/checkpoints.md")]
    struct Checkpoints;
    #[doc = include_str!("../docs/conformance.md")]
    struct Conformance;
    #[doc = include_str!("../docs/dependency.md")]
    struct Dependency;
    #[doc = include_str!("../docs/edits.md")]
    struct Edits;
    #[doc = include_str!("../docs/generation.md")]
    struct Generation;
    #[doc = include_str!("../docs/hooks.md")]
    struct Hooks;
    #[doc = include_str!("../docs/gradients.md")]
    struct Gradients;
    #[doc = include_str!("../docs/sites.md")]
    struct Sites;
    #[doc = include_str!("../docs/sweeps.md")]
    struct Sweeps;
    #[doc = include_str!("../docs/weights.md")]
    struct Weights;
    #[doc = include_str!("../docs/einstein_sweep.md")]
    struct EinsteinSweep;
}
