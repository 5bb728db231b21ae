//! Reading a model: what its activations say.

pub mod steering;
