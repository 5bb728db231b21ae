//! What a run gives back.

use super::Logits;
use crate::dispatch::{Activations, Ledger, Work};
use crate::error::Result;

/// What a run gives back.
#[derive(Debug)]
#[non_exhaustive]
pub struct RunOutput {
    /// The logits, at the positions that were unembedded.
    pub logits: Logits,
    /// The activations that were asked for.
    pub activations: Activations,
    /// What each hook did.
    pub ledger: Ledger,
    /// What was computed.
    pub work: Work,
}

/// What the hooks of a run did to its logits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Effect {
    /// No hook changed anything at its site.
    NoChange,
    /// Sites changed, and no bit of the logits, such as when a layer norm divides a factor out again.
    LogitsIdentical,
    /// The logits changed.
    LogitsChanged {
        /// The largest change of a logit.
        largest: f64,
    },
}

impl RunOutput {
    /// What the hooks did to the logits: `clean` are those of the same run without them.
    ///
    /// # Errors
    /// [`OtherLogits`](crate::error::RunError::OtherLogits) if `clean` are of other sequences or positions.
    pub fn effect(&self, clean: &Logits) -> Result<Effect> {
        let largest = self.logits.largest_difference(clean)?;
        // An edit leads off the fused path, and that alone changes roundings.
        Ok(match largest {
            _ if !self.ledger.changed() => Effect::NoChange,
            Some(largest) => Effect::LogitsChanged { largest },
            None => Effect::LogitsIdentical,
        })
    }
}
