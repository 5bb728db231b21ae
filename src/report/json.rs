//! JSON documents.

use std::io::{self, Write};

use serde::Serialize;

/// Writes a value as one JSON document, indented, with a newline at the end. What is not a finite number
/// becomes `null`.
///
/// # Errors
/// Those of `out` and of the value.
pub fn write_json(mut out: impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)
}
