//! How many threads compute, and what they do while they wait.

use std::error::Error;
use std::process::{ExitCode, Termination};

use clap::Args;
use hooked_gpt2::tch;

use super::failure;

#[derive(Debug, Clone, Copy, Args)]
pub struct Threads {
    /// How many threads compute [default: OMP_NUM_THREADS, or one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

impl Threads {
    /// Runs the program with so many threads.
    pub fn run<T: Termination>(
        self,
        program: impl FnOnce() -> Result<T, Box<dyn Error>>,
    ) -> ExitCode {
        #[cfg(target_os = "linux")]
        start_again_with_threads_that_sleep();
        if let Some(threads) = self.threads {
            tch::set_num_threads(threads.into());
        }
        failure::end(program())
    }
}

/// Lets threads that wait for others sleep. Otherwise they keep their cores busy, and where other programs want these,
/// all wait for one another. The library that the threads are from reads that when it is loaded, which is before `main`:
/// so the program starts once more, unless somebody has said how threads are to wait.
#[cfg(target_os = "linux")]
fn start_again_with_threads_that_sleep() {
    use std::env;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    if ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"].iter().any(|name| env::var_os(name).is_some()) {
        return;
    }
    let (Ok(program), mut arguments) = (env::current_exe(), env::args_os()) else { return };
    let mut again = Command::new(program);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    // It comes back only if it fails, and then the program goes on as it is.
    let _ = again.args(arguments).env("OMP_WAIT_POLICY", "passive").exec();
}
