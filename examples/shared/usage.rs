//! Reads the command line.

use std::process::ExitCode;

use clap::Parser;

use super::failure::say;

/// The arguments that the program was started with, or what it ends with at once.
pub fn parse<Arguments: Parser>() -> Result<Arguments, ExitCode> {
    Arguments::try_parse().map_err(|error| {
        if error.use_stderr() {
            say(in_one_line(&error.to_string()));
        } else {
            // Help was asked for; who closes the pipe has read enough of it.
            let _ = error.print();
        }
        ExitCode::from(error.exit_code() as u8)
    })
}

/// What is wrong and what is near, without how to get help.
fn in_one_line(message: &str) -> String {
    let lines = message.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines =
        lines.take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
    lines.collect::<Vec<_>>().join("; ")
}
