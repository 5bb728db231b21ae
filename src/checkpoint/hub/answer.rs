//! What an answer says in its status and headers, and whether that was asked for.

use ureq::Body;
use ureq::http::header::{CONTENT_ENCODING, CONTENT_RANGE, HeaderName};
use ureq::http::{Response, StatusCode};

use crate::error::shown;

/// A header, if there is one. What it holds beside ASCII is of no use here, and shows as something else.
pub fn text(response: &Response<Body>, name: HeaderName) -> Option<String> {
    let value = response.headers().get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

pub fn number(response: &Response<Body>, name: HeaderName) -> Result<Option<u64>, String> {
    let parse = |text: String| match text.parse() {
        Ok(number) => Ok(number),
        Err(_) => Err(format!("{name} is `{}`, allowed: a number of bytes", shown(&text))),
    };
    text(response, name.clone()).map(parse).transpose()
}

/// Refuses all but one status.
pub fn expect(response: &Response<Body>, expected: StatusCode) -> Result<(), String> {
    let status = response.status();
    if status != expected {
        let meaning = match status.as_u16() {
            401 | 403 | 404 => ": there is none, or it takes a token (HF_TOKEN) that may read it",
            _ => "",
        };
        return Err(format!("HTTP status {status}{meaning}"));
    }
    match text(response, CONTENT_ENCODING).filter(|encoding| encoding != "identity") {
        None => Ok(()),
        Some(encoding) => {
            Err(format!("it is encoded as `{}`, which nobody asked for", shown(&encoding)))
        }
    }
}

/// Refuses all but the rest of a file of this size that begins at this byte.
pub fn expect_rest(response: &Response<Body>, from: u64, size: Option<u64>) -> Result<(), String> {
    expect(response, StatusCode::PARTIAL_CONTENT)?;
    let given = text(response, CONTENT_RANGE).ok_or("a part of it comes without Content-Range")?;
    let is_rest = || {
        let (range, whole) = given.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
        let whole: u64 = whole.parse().ok()?;
        let fits = first == from && last.checked_add(1)? == whole;
        Some(fits && size.is_none_or(|size| size == whole))
    };
    if is_rest() == Some(true) {
        Ok(())
    } else {
        let given = shown(&given);
        Err(format!("the part `{given}` is not what was asked for, from byte {from} on"))
    }
}

pub fn too_long(bytes: u64, allowed: u64) -> String {
    format!("{bytes} bytes are announced, allowed: {allowed}")
}
