//! What a run, or the weights by themselves, say about the model's words: ready-made readings.
//!
//! A lens that reads a run is given one, [`model.run(&batch)`](crate::Gpt2::run) with its hooks, captures
//! what it needs, runs it, and gives back arrays in f64 with what their entries are of. Sequences may be of any
//! lengths: where values stand by `[…, sequence, position]`, the last axis counts the positions that were read, and a
//! sequence that has fewer of them than others is NaN behind its own.
//!
//! | reading | |
//! |---|---|
//! | [`LogitLens`] | each layer's residual stream, read as if it were the last: log-probability, rank, top tokens, KL |
//! | [`ResidualStack`] | the residual stream before each layer |
//! | [`Decomposition`] | the residual stream as a sum of what heads, neurons and biases add to it |
//! | [`LogitAttribution`] | a logit, or a difference of logits, as a sum over the same parts |
//! | [`Downstream`] | how far an intervention moves what comes after it |
//! | [`HeadScores`] | previous-token, duplicate-token and induction heads, by their patterns |
//! | [`copy_scores`] | heads that copy the tokens of a text, by what they would write of each |
//! | [`copying_scores`], [`composition_scores`] | the circuits of heads, by their weights |
//! | [`neuron_scores`] | entropy neurons, by their weights |
//! | [`SteeringVector`] | the direction between two sets of prompts, and how well it tells them apart |
//!
//! ```
//! use hooked_gpt2::lens::{Component, LogitAttribution};
//! # use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, tch::Device};
//! # let checkpoint = Checkpoint::bundled()?;
//! # let (model, _) = Gpt2::load(&checkpoint, Precision::F64, Device::Cpu)?;
//! # let tokenizer = checkpoint.tokenizer()?;
//! let prompt = Batch::single(tokenizer.encode("She was a very happy")?)?;
//! let [woman, man] = [tokenizer.single_token(" woman")?, tokenizer.single_token(" man")?];
//!
//! let attributed = LogitAttribution::of((woman, man)).read(model.run(&prompt))?;
//! let head = attributed.of(Component::Head { layer: 5, head: 1 })?; // [sequence, position]
//! println!("head 1 of layer 5 gives {:+.3} of {:+.3}", head[[0, 0]], attributed.total()[[0, 0]]);
//! assert!((attributed.values().sum() - attributed.total()[[0, 0]]).abs() < 1e-9);
//! # Ok::<(), hooked_gpt2::Error>(())
//! ```

mod answers;
mod arrays;
mod attribution;
mod circuits;
mod component;
mod copy_scores;
mod decomposition;
mod downstream;
mod head_scores;
mod layer_norms;
mod lens_readings;
mod lens_table;
mod logit_lens;
mod neurons;
mod parts;
mod read_at;
mod readout;
mod residual_stack;
mod steering;
mod target;

pub use answers::Answers;
pub use attribution::{Attributed, LogitAttribution};
pub use circuits::{Composition, composition_scores, copying_scores};
pub use component::Component;
pub use copy_scores::copy_scores;
pub use decomposition::{Decomposed, Decomposition};
pub use downstream::{Downstream, Drift};
pub use head_scores::HeadScores;
pub use layer_norms::LayerNorms;
pub use lens_readings::LensReadings;
pub use lens_table::LensTable;
pub use logit_lens::LogitLens;
pub use neurons::{NeuronScores, neuron_scores};
pub use parts::Parts;
pub use residual_stack::{ResidualStack, StackedResiduals};
pub use steering::SteeringVector;

pub use crate::error::LensError;
