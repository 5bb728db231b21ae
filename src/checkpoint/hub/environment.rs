//! What the environment says about hub and cache, in the variables that Hugging Face's tools share.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use ureq::{Proxy, ProxyProtocol};

/// Those of which the first that is set names the proxy, in the order in which `ureq` reads them.
const PROXIES: [&str; 6] =
    ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];

/// `HF_HUB_CACHE`, or `hub` in `HF_HOME`, or in the user's cache directory.
pub fn cache() -> PathBuf {
    path("HF_HUB_CACHE").unwrap_or_else(|| home().join("hub"))
}

fn home() -> PathBuf {
    let user_cache = || path("XDG_CACHE_HOME").unwrap_or_else(|| user_home().join(".cache"));
    path("HF_HOME").unwrap_or_else(|| user_cache().join("huggingface"))
}

fn user_home() -> PathBuf {
    env::home_dir().unwrap_or_default()
}

/// `HF_TOKEN`, or what logging in has left in `HF_TOKEN_PATH` or `HF_HOME`.
pub fn token() -> Option<String> {
    let saved = || {
        let path = path("HF_TOKEN_PATH").unwrap_or_else(|| home().join("token"));
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

/// Refuses a proxy that cannot be used: `ureq` would pass it over in silence, and turn to the hub itself.
pub fn check_proxy() -> Result<(), String> {
    let named = PROXIES.iter().find_map(|name| Some((name, text(name)?)));
    let Some((name, value)) = named else { return Ok(()) };
    let is_usable = Proxy::new(&value)
        .is_ok_and(|proxy| matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https));
    // Its value may hold a password.
    let refused = || format!("{name} names no proxy that can be used, allowed: http://host:port");
    if is_usable { Ok(()) } else { Err(refused()) }
}

/// A path, of which `~` at its beginning is the user's home, as it is in a shell and in Python.
fn path(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(variable(name)?);
    Some(path.strip_prefix("~").map_or_else(|_| path.clone(), |inside| user_home().join(inside)))
}

fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// What is not UTF-8 is no address and no token, but there: it is refused where it is used, and not passed over.
fn text(name: &str) -> Option<String> {
    Some(variable(name)?.to_string_lossy().into_owned())
}
