//! Seeds in words.

use serde::{Deserialize, Serialize};

/// A seed: a number, or the number in quotes where it is beyond the integers that every
/// reader of TOML has.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub(super) struct Seed(pub u64);

#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a seed: a whole number from 0, in quotes from 2^63 on")]
enum Written {
    Number(u64),
    Text(String),
}

impl From<Seed> for Written {
    fn from(Seed(seed): Seed) -> Self {
        match i64::try_from(seed) {
            Ok(_) => Self::Number(seed),
            Err(_) => Self::Text(seed.to_string()),
        }
    }
}

impl TryFrom<Written> for Seed {
    type Error = std::num::ParseIntError;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        match written {
            Written::Number(seed) => Ok(Self(seed)),
            Written::Text(text) => text.parse().map(Self),
        }
    }
}
