//! The machinery of a run: what is checked before it, what fires its hooks, and what it keeps.

mod activations;
mod dispatcher;
mod export;
mod firing;
mod interrupt;
mod ledger;
mod overwritten;
mod preflight;
mod registries;
mod run_range;
mod site_set;
mod tracking;
mod work;

pub use activations::Activations;
pub(crate) use dispatcher::{Dispatcher, Intent};
pub(crate) use interrupt::Interrupt;
pub use ledger::{Ledger, LedgerEntry};
pub(crate) use preflight::{Checked, Preflight, is_skipped};
pub(crate) use registries::{Registries, hooks_in};
pub(crate) use run_range::RunRange;
pub use work::Work;
