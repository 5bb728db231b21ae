//! Whose an address is, and where a redirect leads.

use ureq::http::Uri;
use ureq::http::uri::Scheme;

use crate::error::shown;

/// Whom a browser would take for the same site.
#[derive(Debug, PartialEq, Eq)]
pub struct Origin {
    pub is_https: bool,
    host: String,
    port: u16,
}

impl Origin {
    pub fn of(address: &Uri) -> Result<Self, String> {
        let scheme = address.scheme();
        let is_https = scheme == Some(&Scheme::HTTPS);
        // A port beyond 65535 is read as none.
        let is_whole = |host: &str| {
            let authority = address.authority().map_or("", |authority| authority.as_str());
            address.port().is_some() || authority.trim_end_matches(':').ends_with(host)
        };
        match address.host() {
            Some(host)
                if !host.is_empty()
                    && is_whole(host)
                    && (is_https || scheme == Some(&Scheme::HTTP)) =>
            {
                Ok(Self {
                    is_https,
                    host: host.to_ascii_lowercase(),
                    port: address.port_u16().unwrap_or(if is_https { 443 } else { 80 }),
                })
            }
            _ => Err(not_an_address(&address.to_string())),
        }
    }
}

/// Where a redirect leads: an address, or a part of one that the address before completes.
pub fn resolve(from: &Uri, location: &str) -> Option<Uri> {
    let location = location.split('#').next()?;
    let scheme = from.scheme_str()?;
    let site = format!("{scheme}://{}", from.authority()?);
    let whole = if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{site}{location}")
    } else if location.split(['/', '?']).next()?.contains(':') {
        location.to_owned()
    } else if location.starts_with('?') {
        format!("{site}{}{location}", from.path())
    } else {
        beside(&site, from.path(), location)?
    };
    whole.parse().ok()
}

/// A path relative to the directory of another.
fn beside(site: &str, path: &str, mut relative: &str) -> Option<String> {
    let mut directory = path.rsplit_once('/')?.0;
    loop {
        if let Some(rest) = relative.strip_prefix("./") {
            relative = rest;
        } else if let Some(rest) = relative.strip_prefix("../") {
            relative = rest;
            directory = directory.rsplit_once('/').map_or("", |(above, _)| above);
        } else {
            return Some(format!("{site}{directory}/{relative}"));
        }
    }
}

pub fn not_an_address(text: &str) -> String {
    format!("`{}` is not an address, allowed: http://host and https://host", shown(text))
}
