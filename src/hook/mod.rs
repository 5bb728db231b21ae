//! The language that models and interventions share: sites, selections, registries, ledgers.

mod activations;
pub mod at;
mod capture;
mod cone;
mod dispatch;
mod edit;
mod halt;
mod ledger;
mod overwritten;
mod positions;
mod preflight;
mod registry;
mod selection;
mod site;
mod site_set;
mod tracking;
mod way;

pub use activations::Activations;
pub use at::At;
pub(crate) use capture::Spec;
pub use capture::{Capture, Key, Moments, Norm, TopK, What, Whole};
pub(crate) use cone::Cone;
pub use dispatch::Work;
pub(crate) use dispatch::{Dispatcher, Intent};
pub use edit::{Edit, Hook, Part, TensorForm};
pub(crate) use halt::Halt;
pub use ledger::{Ledger, LedgerEntry};
pub(crate) use positions::PositionSelection;
pub use positions::Positions;
pub(crate) use preflight::Preflight;
pub use registry::{HookRegistry, NoHooks};
pub(crate) use registry::{Registries, hooks_in};
pub(crate) use selection::Selected;
pub use site::{Axes, Site};
pub(crate) use way::Way;
