//! libtorch's CUDA library, loaded when somebody asks for a CUDA device.
//!
//! No symbol of it is named by a program that is linked with libtorch, so that linkers leave it out, and
//! libtorch then knows no CUDA device wherever it runs. Its initialisers make it known to libtorch.

use std::error::Error;
use std::path::PathBuf;
use std::sync::OnceLock;

use libloading::{Library, library_filename};

/// Loads the library, once; `Err` says why it cannot be.
///
/// Nothing may ask libtorch about CUDA before: it keeps the answer.
pub(super) fn load() -> Result<(), &'static str> {
    // Never closed: libtorch calls into it until the process ends.
    static LIBRARY: OnceLock<Result<Library, String>> = OnceLock::new();
    match LIBRARY.get_or_init(find_and_open) {
        Ok(_) => Ok(()),
        Err(reason) => Err(reason),
    }
}

fn find_and_open() -> Result<Library, String> {
    let name = library_filename("torch_cuda");
    let Some(folder) = folder_of_libtorch() else { return open(name.into()) };
    let path = folder.join(&name);
    if !path.exists() {
        let (name, folder) = (name.display(), folder.display());
        return Err(format!("there is no {name} in {folder}, a libtorch built without CUDA"));
    }
    open(path)
}

/// The folder of the libtorch that this process runs with, where the system tells. The loader's own search
/// may not come to it, and may come to another libtorch.
fn folder_of_libtorch() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let name = library_filename("torch_cpu");
    let mut files = maps.lines().filter_map(|line| Some(PathBuf::from(&line[line.find('/')?..])));
    let libtorch = files.find(|file| file.file_name() == Some(&*name))?;
    libtorch.parent().map(PathBuf::from)
}

fn open(path: PathBuf) -> Result<Library, String> {
    // SAFETY: what runs is the library's initialisers. They belong to the libtorch whose bindings this program
    // is linked with and would have run before `main`, had the linker kept the library; they register what
    // they bring behind libtorch's own locks.
    let opened = unsafe { open_for_all(path) };
    // The loader's words are in the source.
    opened.map_err(|error| error.source().map_or_else(|| error.to_string(), ToString::to_string))
}

/// As a library that was linked is: other libraries find its symbols.
#[cfg(unix)]
unsafe fn open_for_all(path: PathBuf) -> Result<Library, libloading::Error> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    // SAFETY: the caller's.
    unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) }.map(Into::into)
}

#[cfg(not(unix))]
unsafe fn open_for_all(path: PathBuf) -> Result<Library, libloading::Error> {
    // SAFETY: the caller's.
    unsafe { Library::new(path) }
}
