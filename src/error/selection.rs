//! What of a selection the model or the input does not have.

use super::shown;
use crate::site::{Site, UnknownSite};

/// What of a selection the model or the input does not have.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelectionError {
    /// A name that is no site's.
    #[error(transparent)]
    UnknownSite(#[from] UnknownSite),
    /// A name that is no parameter's.
    #[error("`{given}` is no parameter; the nearest names are {nearest}", given = shown(given))]
    UnknownParameter {
        /// The name.
        given: String,
        /// Names of parameters that are like it.
        nearest: String,
    },
    /// A layer that the model does not have.
    #[error("layer {given} is not in the model, allowed: 0 to {last}", last = n_layers.saturating_sub(1))]
    LayerOutOfRange {
        /// The layer index.
        given: usize,
        /// The number of layers.
        n_layers: usize,
    },
    /// A selection of positions that a sequence does not have.
    #[error("positions {given} do not fit sequence {sequence}, which has {len} tokens")]
    PositionOutOfRange {
        /// The selection.
        given: String,
        /// The sequence's index in the batch.
        sequence: usize,
        /// Its length.
        len: usize,
    },
    /// A selected index that model or batch do not have.
    #[error("{axis} {given} is out of range, allowed: 0 to {last}", last = len.saturating_sub(1))]
    IndexOutOfRange {
        /// What the index counts.
        axis: &'static str,
        /// The index.
        given: usize,
        /// How many there are.
        len: usize,
    },
    /// A selection that selects nothing.
    #[error("no {axis} is selected, at least one is needed")]
    EmptySelection {
        /// What is counted along the axis.
        axis: &'static str,
    },
    /// A file of interventions selects along an axis that the site does not have.
    #[error("`{given}` cannot be selected at {site}, allowed: {allowed}")]
    SelectionAtSite {
        /// The field that says what is selected.
        given: &'static str,
        /// The site.
        site: Site,
        /// The fields allowed there.
        allowed: String,
    },
}
