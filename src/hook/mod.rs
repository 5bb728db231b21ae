//! The language that models and interventions share: sites, selections, edits, registries, captures.

pub mod at;
mod capture;
mod capture_spec;
mod edit;
mod kept;
mod mean_activations;
mod moments;
mod positions;
mod registry;
mod selection;

pub use at::At;
pub(crate) use capture::add_captures;
pub use capture::{Capture, CaptureKey, Norm, TopK, Whole};
pub(crate) use capture_spec::CaptureSpec;
pub use edit::{Edit, Hook, Mixing, Part, TensorForm};
pub(crate) use kept::Kept;
pub use mean_activations::{Averaging, MeanActivations};
pub use moments::Moments;
pub(crate) use positions::PositionSelection;
pub use positions::Positions;
pub use registry::{HookRegistry, NoHooks};
pub(crate) use selection::Selected;

pub use crate::error::{CaptureError, HookError, SelectionError};
pub use crate::site::{Site, SiteShape, UnknownSite};
