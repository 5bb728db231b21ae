//! Interventions as values: the edits, and the registries that hold them.

mod add;
mod clamp;
mod description;
mod function;
mod interpolate;
mod interventions;
mod knock_out;
mod layer_scaling;
mod mean_ablation;
mod noise;
mod number;
mod overlay;
mod project;
mod random;
mod scale;
mod set;
mod shuffle;
mod subspace;

pub use add::Add;
pub use clamp::Clamp;
pub use function::Function;
pub use interpolate::Interpolate;
pub use interventions::Interventions;
pub use layer_scaling::LayerScaling;
pub use mean_ablation::MeanAblation;
pub use noise::Noise;
pub use project::{KeepOnly, ProjectOut};
pub use scale::Scale;
pub use set::Set;
pub use shuffle::Shuffle;
