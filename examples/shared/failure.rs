//! How a program ends, and what it says if it failed.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::process::{ExitCode, Termination};

/// Ends as `outcome` says, with one line on standard error if the program failed. Who closes the pipe has read enough:
/// that is no failure.
pub fn end(outcome: Result<impl Termination, Box<dyn Error>>) -> ExitCode {
    let error = match outcome {
        Ok(done) => return done.report(),
        Err(error) => error,
    };
    match error.downcast_ref::<io::Error>() {
        Some(error) if error.kind() == ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
        // Errors of files name them; this one comes from printing.
        Some(error) => say(format!("error: cannot write to standard output: {error}")),
        None => say(format!("error: {}", chain(&*error))),
    }
    ExitCode::FAILURE
}

/// Writes a line to standard error, if anybody takes it.
pub fn say(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// The error and its causes, in one line.
pub fn chain(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}
