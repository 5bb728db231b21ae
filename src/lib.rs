//! Causal interventions on GPT-2, on libtorch.
//!
//! Load a [`Checkpoint`] into a [`Gpt2`], say what to change in a
//! [`HookRegistry`](hook::HookRegistry), [run](Gpt2::run) it, and read what that did to the model's
//! words with [`analysis`]. The [`guide`] has a page on each subject and
//! [how to depend on this crate](guide::dependency).
//!
//! ```
//! use hooked_gpt2::analysis::loss::negative_log_likelihood;
//! use hooked_gpt2::hook::{At, Positions, Site};
//! use hooked_gpt2::intervention::Interventions;
//! use hooked_gpt2::sweep::{DeltaLoss, Replacement, Sweep, Variants};
//! use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, tch::Device};
//!
//! let checkpoint = Checkpoint::bundled()?; // or a directory, or a name on the hub
//! let (model, _report) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
//! let tokenizer = checkpoint.tokenizer()?;
//! let prompt = Batch::single(tokenizer.encode("She was a very happy")?)?;
//! let target = tokenizer.single_token(" woman")?;
//!
//! // Layer 2 scaled, one head of layer 5 silenced, and one of layer 7 that may not look at "She".
//! let mut hooks = Interventions::new();
//! hooks.scale(At::resid_post(2), 0.6)?;
//! hooks.zero(At::z(5).heads([1]));
//! hooks.knock_out(7, [0], Positions::last(), Positions::at(0));
//!
//! // A run borrows them and keeps what was asked for. The model never changes.
//! let output = model.run(&prompt).hooks(&hooks).capture([Site::pattern(7)]).execute()?;
//! let pattern = output.activations.get(Site::pattern(7), 0)?; // [head, query_pos, key_pos]
//! assert_eq!(pattern.f_double_value(&[0, -1, 0])?, 0.0);
//! println!("loss {:.3}", negative_log_likelihood(output.logits.last(0)?.view(), target)?);
//! for entry in output.ledger.entries() {
//!     println!("{} at {}: changed by {:.3}", entry.hook, entry.site, entry.change_l2);
//! }
//!
//! // Every head of every layer silenced, one by one: what they share is computed once.
//! let variants = Variants::ablated_heads(model.config(), Replacement::Zero, &prompt)?;
//! let results = Sweep::new(&model, &prompt).plan(&variants)?.measure(&[&DeltaLoss::of(target)])?;
//! let changes = results.values("delta_loss")?; // [layer, head, sequence, scored position]
//! println!("without head 1 of layer 5 the loss changes by {:+.3}", changes[[5, 1, 0, 0]]);
//! # assert_eq!(changes.shape(), [12, 4, 1, 1]);
//! # Ok::<(), hooked_gpt2::Error>(())
//! ```
//!
//! | module | |
//! |---|---|
//! | [`experiment`] | named experiments: the Einstein sweep |
//! | [`report`] | writers of tables, data files and figures, for any result |
//! | [`sweep`] | many variants of a run, each thing computed once |
//! | [`lens`] | logit lens, direct logit attribution, head scores, steering vectors |
//! | [`intervention`] | the edits, and the registries that hold them |
//! | [`hook`] | sites, selections, edits, registries, captures |
//! | [`data`] | prompts with answers and named places, tasks of the literature |
//! | [`analysis`] | loss, rank, correlation, divergence, equivalent temperature, uncertainty |
//! | [`conformance`] | identities, checked on a model of yours |
//! | [`checkpoint`] | directories, the hub, the bundled model |
//! | [`error`] | what can go wrong, a reason for each room |
//! | [`guide`] | how all of it is used, page by page |

#![warn(missing_docs)]
// Calls that panic where they fail: clippy.toml lists them.
#![deny(clippy::disallowed_methods)]
// On docs.rs, what needs a feature says so.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod analysis;
mod batch;
pub mod checkpoint;
mod config;
pub mod conformance;
pub mod data;
pub mod device;
mod dispatch;
pub mod error;
pub mod experiment;
mod files;
mod grad_mode;
#[cfg(doc)]
pub mod guide;
pub mod hook;
pub mod intervention;
mod layout;
pub mod lens;
mod model;
mod nearest;
mod precision;
pub mod report;
mod scalar;
mod shared_tensor;
mod site;
pub mod sweep;
mod tokenizer;

pub use batch::Batch;
pub use checkpoint::Checkpoint;
pub use config::{Activation, Config};
pub use dispatch::{Activations, Ledger, LedgerEntry, Work};
pub use error::{Error, Result};
pub use model::{Effect, Generated, Generation, Gpt2, Logits, Parameter, Run, RunOutput, Sampling};
pub use ndarray;
pub use precision::Precision;
pub use shared_tensor::SharedTensor;
pub use tch;
pub use tokenizer::Tokenizer;
