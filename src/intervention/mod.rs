//! Interventions as values: the edits, and the registries that hold them.

mod add;
mod description;
mod function;
mod interpolate;
mod interventions;
mod knock_out;
mod layer_scaling;
mod noise;
mod number;
mod overlay;
mod random;
mod scale;
mod set;
mod shuffle;

pub use add::Add;
pub use function::Function;
pub use interpolate::Interpolate;
pub use interventions::Interventions;
pub use layer_scaling::LayerScaling;
pub use noise::Noise;
pub use scale::Scale;
pub use set::Set;
pub use shuffle::Shuffle;
