//! SHA-256, in 64 hexadecimal digits.

use sha2::digest::Output;
use sha2::{Digest, Sha256};

use crate::error::Result;
use crate::files::regular_file::RegularFile;

/// What is read of a file at once.
const PIECE: usize = 1 << 20;

pub(crate) fn of(content: &[u8]) -> String {
    digits(Sha256::digest(content))
}

/// The same of a file, which need not fit into memory.
///
/// # Errors
/// [`FileError::Changed`](crate::error::FileError::Changed) and [`FileError::Read`](crate::error::FileError::Read).
pub(crate) fn of_file(file: &RegularFile) -> Result<String> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE];
    let mut from = 0;
    while from < file.size() {
        let len = (file.size() - from).min(PIECE as u64);
        let piece = &mut piece[..len as usize];
        file.fill(piece, from)?;
        hash.update(piece);
        from += len;
    }
    Ok(digits(hash.finalize()))
}

fn digits(hash: Output<Sha256>) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
