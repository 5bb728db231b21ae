//! What a run says of a claim.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a run says of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All parts hold.
    Holds,
    /// Some part does not.
    DoesNotHold,
    /// This run cannot tell.
    CannotBeTold,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Holds => "holds",
            Verdict::DoesNotHold => "does not hold",
            Verdict::CannotBeTold => "cannot be told",
        })
    }
}
