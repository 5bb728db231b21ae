//! The name of a checkpoint, as a user types it.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a checkpoint comes from.
///
/// Parsed from text: `bundled`; the path of a directory, which must exist or look like a path
/// (begin with `.`, `/` or `~`, or have more than one `/`); or a name on the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The small model that is part of this crate.
    Bundled,
    /// A Hugging Face directory.
    Directory(PathBuf),
    /// A model of the Hugging Face hub, by name.
    Hub(String),
}

impl FromStr for Source {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let path = PathBuf::from(text);
        let looks_like_a_path = text.starts_with(['.', '/', '~'])
            || text.contains('\\')
            || text.matches('/').count() > 1
            || path.is_dir();
        Ok(match text {
            "bundled" => Self::Bundled,
            _ if looks_like_a_path => Self::Directory(path),
            _ => Self::Hub(text.to_owned()),
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bundled => f.write_str("bundled"),
            Self::Directory(path) => path.display().fmt(f),
            Self::Hub(name) => f.write_str(name),
        }
    }
}

/// Whether what is not in the cache is downloaded.
#[derive(Default)]
pub enum Download<'a> {
    /// Never: use the cache alone.
    Off,
    /// Yes, in silence.
    #[default]
    Quietly,
    /// Yes, telling how far each file is.
    Reporting(&'a mut dyn FnMut(DownloadProgress<'_>)),
}

/// How far the download of one file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DownloadProgress<'a> {
    /// The file.
    pub file: &'a str,
    /// Bytes that are there.
    pub bytes_done: usize,
    /// Bytes in all.
    pub bytes_total: usize,
}
