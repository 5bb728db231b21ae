//! What the environment says about hub and cache, in the variables that Hugging Face's tools share.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// `HF_HUB_CACHE`, or `hub` in `HF_HOME`, or in the user's cache directory.
pub fn cache() -> PathBuf {
    variable("HF_HUB_CACHE").map_or_else(|| home().join("hub"), PathBuf::from)
}

fn home() -> PathBuf {
    let user_cache = || {
        variable("XDG_CACHE_HOME")
            .map_or_else(|| env::home_dir().unwrap_or_default().join(".cache"), PathBuf::from)
    };
    variable("HF_HOME").map_or_else(|| user_cache().join("huggingface"), PathBuf::from)
}

/// `HF_TOKEN`, or what logging in has left in `HF_TOKEN_PATH` or `HF_HOME`.
pub fn token() -> Option<String> {
    let saved = || {
        let path = variable("HF_TOKEN_PATH").map_or_else(|| home().join("token"), PathBuf::from);
        std::fs::read_to_string(path).ok()
    };
    let token = text("HF_TOKEN").or_else(saved)?.trim().to_owned();
    (!token.is_empty()).then_some(token)
}

/// `HF_ENDPOINT`, or the hub of Hugging Face.
pub fn endpoint() -> String {
    text("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned())
}

pub fn is_offline() -> bool {
    text("HF_HUB_OFFLINE")
        .is_some_and(|value| matches!(&*value.to_ascii_lowercase(), "1" | "true" | "yes" | "on"))
}

fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

fn text(name: &str) -> Option<String> {
    variable(name)?.into_string().ok()
}
