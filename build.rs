//! Lets tests, examples and benches of this crate find libtorch where it was found at build time.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // torch-sys publishes the folder to its direct dependents.
    if let Ok(folder) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
