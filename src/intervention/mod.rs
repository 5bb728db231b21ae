//! Interventions as values: the edits, and the registries that hold them.

mod interventions;
mod layer_scaling;
mod scale;

pub use interventions::Interventions;
pub use layer_scaling::LayerScaling;
pub use scale::Scale;
