//! The language that models and interventions share: sites, selections, registries, ledgers.

mod activations;
pub mod at;
mod dispatch;
mod edit;
mod ledger;
mod positions;
mod registry;
mod selection;
mod site;

pub use activations::Activations;
pub use at::At;
pub(crate) use dispatch::Dispatcher;
pub use edit::{Edit, Hook, Part, TensorForm};
pub use ledger::{Ledger, LedgerEntry};
pub use positions::Positions;
pub use registry::{HookRegistry, NoHooks};
pub use site::{Axes, Site};
