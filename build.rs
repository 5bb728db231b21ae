//! Lets programs find libtorch at run time where it was found at build time.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // torch-sys publishes the folder of the libraries to its direct dependents.
    let Ok(libraries) = std::env::var("DEP_TCH_LIBTORCH_LIB") else { return };
    // For the tests, examples and benches of this crate, however they are started.
    println!("cargo::rustc-link-arg=-Wl,-rpath,{libraries}");
    // For `cargo run` and `cargo test` in a crate that depends on this one, which no link argument
    // from here reaches: cargo lets programs search the library folders inside its own output.
    let out = std::env::var("OUT_DIR").expect("cargo sets OUT_DIR for build scripts");
    let inside = Path::new(&out).join("libtorch");
    if link(Path::new(&libraries), &inside).is_ok() {
        println!("cargo::rustc-link-search=native={}", inside.display());
    }
}

#[cfg(unix)]
fn link(libraries: &Path, inside: &Path) -> std::io::Result<()> {
    if inside.is_symlink() {
        std::fs::remove_file(inside)?;
    }
    std::os::unix::fs::symlink(libraries, inside)
}

#[cfg(not(unix))]
fn link(_libraries: &Path, _inside: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}
