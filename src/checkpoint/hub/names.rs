//! Names that become parts of paths and addresses: none gets there unchecked.

use std::fmt;

use crate::error::{CheckpointError, Error};

/// A model on the hub: `name`, or `organisation/name`.
#[derive(Debug, Clone)]
pub struct ModelName(String);

impl ModelName {
    pub fn parse(text: &str) -> Result<Self, Error> {
        let parts: Vec<_> = text.split('/').collect();
        let allowed = parts.len() <= 2
            && parts.iter().all(|part| is_plain(part))
            // In the cache it stands for the slash.
            && !text.contains("--");
        if allowed {
            Ok(Self(text.to_owned()))
        } else {
            Err(CheckpointError::ModelName { given: text.to_owned() }.into())
        }
    }

    /// Its directory in the cache.
    pub fn folder(&self) -> String {
        format!("models--{}", self.0.replace('/', "--"))
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A commit, by its whole name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit(String);

impl Commit {
    pub fn parse(text: &str) -> Option<Self> {
        is_hexadecimal(text, 40).then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether a name is that of one ordinary file, in every file system and in every address.
pub fn is_plain(name: &str) -> bool {
    let is_ordinary = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=96).contains(&name.len()) && !name.starts_with(['.', '-']) && name.bytes().all(is_ordinary)
}

pub fn is_hexadecimal(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
