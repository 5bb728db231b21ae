//! Files: read as what they are, and written whole or not at all.

pub(crate) mod directory_lock;
pub(crate) mod regular_file;
pub(crate) mod sha256;
pub(crate) mod whole_file;
