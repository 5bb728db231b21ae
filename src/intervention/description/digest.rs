//! Which file of tensors belongs to a text.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::files::regular_file::RegularFile;
use crate::files::sha256;

/// Digits of the whole.
const DIGITS: usize = 64;
/// Digits that stand in the name of a file: enough to tell the saves of one text apart.
const SHORT: usize = 16;

/// The SHA-256 of a file of tensors, in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Digest(String);

impl Digest {
    pub fn of(content: &[u8]) -> Self {
        Self(sha256::of(content))
    }

    pub fn of_file(file: &RegularFile) -> Result<Self> {
        Ok(Self(sha256::of_file(file)?))
    }

    /// The beginning, which stands in the name of the file.
    pub fn short(&self) -> &str {
        &self.0[..SHORT]
    }

    /// Whether these can be the digits in the name of a file.
    pub fn is_short(digits: &[u8]) -> bool {
        digits.len() == SHORT && digits.iter().all(is_digit)
    }
}

fn is_digit(byte: &u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Digest> for String {
    fn from(Digest(digits): Digest) -> Self {
        digits
    }
}

impl TryFrom<String> for Digest {
    type Error = &'static str;

    fn try_from(digits: String) -> std::result::Result<Self, Self::Error> {
        match digits.len() == DIGITS && digits.as_bytes().iter().all(is_digit) {
            true => Ok(Self(digits)),
            false => Err("expected a SHA-256: 64 digits from 0 to 9 and a to f"),
        }
    }
}
