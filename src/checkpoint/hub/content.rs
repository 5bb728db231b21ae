//! The hash that names a file's content.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use ring::digest::{Algorithm, Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};

use super::names::is_hexadecimal;

/// What the hub calls a file's content, and the cache its blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentHash {
    kind: Kind,
    digits: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// SHA-1 as git takes it, of small files.
    Git,
    /// SHA-256, of large ones.
    Sha256,
}

impl ContentHash {
    pub fn parse(text: &str) -> Option<Self> {
        let kind = match text.len() {
            40 => Kind::Git,
            64 => Kind::Sha256,
            _ => return None,
        };
        is_hexadecimal(text, text.len()).then(|| Self { kind, digits: text.to_owned() })
    }

    /// The hash of the same kind that a file really has.
    pub fn of_file(&self, path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut context = Context::new(self.kind.algorithm());
        if self.kind == Kind::Git {
            context.update(format!("blob {}\0", file.metadata()?.len()).as_bytes());
        }
        let mut buffer = vec![0; 1 << 18];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => context.update(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let digits = context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { kind: self.kind, digits })
    }

    /// The digits, which are a file's name.
    pub fn digits(&self) -> &str {
        &self.digits
    }
}

impl Kind {
    fn algorithm(self) -> &'static Algorithm {
        match self {
            Self::Git => &SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &SHA256,
        }
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Git => "git SHA-1",
            Kind::Sha256 => "SHA-256",
        };
        write!(f, "{kind} {}", self.digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_has_the_hash_that_git_and_sha256sum_give_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        for (content, hash) in [
            // git hash-object, sha256sum
            ("", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
            ("hello\n", "ce013625030ba8dba906f756967f9e9ca394464a"),
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("hello\n", "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"),
        ] {
            std::fs::write(&path, content).unwrap();
            let expected = ContentHash::parse(hash).unwrap();
            assert_eq!(expected.of_file(&path).unwrap(), expected);
        }
    }
}
