//! Requests to a hub that is not trusted: who is sent the token, and how long and how much is listened to.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use serde::Deserialize;
use ureq::http::header::{
    AUTHORIZATION, CONTENT_LENGTH, ETAG, HeaderName, LOCATION, RANGE, TRANSFER_ENCODING,
};
use ureq::http::{Method, Response, StatusCode, Uri};
use ureq::{Agent, Body, Timeout};

use super::Failure;
use super::answer::{expect, number, text, too_long};
use super::content::ContentHash;
use super::environment;
use super::names::{Commit, ModelName};
use super::origin::{Origin, not_an_address, resolve};
use crate::error::shown;

/// How long and how much a hub is listened to.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For a connection, for an answer, and for the next byte of it.
    pub patience: Duration,
    /// Whoever sends less than `window_bytes` in this time is too slow.
    pub window: Duration,
    pub window_bytes: u64,
    pub redirects: usize,
    /// For another process that downloads the same file and gets no further.
    pub patience_with_others: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(15),
            window: Duration::from_secs(30),
            window_bytes: 300 << 10,
            redirects: 10,
            patience_with_others: Duration::from_secs(300),
        }
    }
}

/// The most that a list of files may take: room for a hundred thousand names.
const LIST_BYTES: u64 = 16 << 20;
/// What is given time for where nobody says how long it is.
const UNANNOUNCED_BYTES: u64 = 1 << 20;
/// The longest file that may come in chunks. What is between chunks does not count as bytes of the file,
/// so that only the time for all of it bounds that.
const CHUNKED_BYTES: u64 = 16 << 20;

pub struct Client {
    agent: Agent,
    endpoint: String,
    origin: Origin,
    token: Option<String>,
    limits: Limits,
}

/// The address of a request, and how it came to that.
struct Hop {
    address: Uri,
    /// Whether all of the way so far was the hub's own: whoever redirects to the hub is not the hub.
    is_at_home: bool,
    redirects: usize,
}

/// What the hub says of a file before it is sent.
#[derive(Default)]
struct Announcement {
    name: Option<String>,
    size: Option<u64>,
}

/// A file as the hub announces it.
pub struct Announced {
    pub hash: ContentHash,
    pub size: Option<u64>,
}

/// The files of a model at one commit.
pub struct Listing {
    pub commit: Commit,
    files: Vec<String>,
}

impl Listing {
    pub fn has(&self, file: &str) -> bool {
        self.files.iter().any(|listed| listed == file)
    }
}

impl Client {
    pub fn new(endpoint: &str, token: Option<String>, limits: Limits) -> Result<Self, String> {
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        let origin = endpoint
            .parse()
            .map_err(|_| not_an_address(&endpoint))
            .and_then(|address| Origin::of(&address))
            .map_err(|reason| format!("HF_ENDPOINT: {reason}"))?;
        if token.as_ref().is_some_and(|token| !token.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err("HF_TOKEN: spaces, control characters and letters that are not ASCII are in no token".to_owned());
        }
        environment::check_proxy()?;
        let patience = Some(limits.patience);
        let config = Agent::config_builder()
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            // Otherwise lengths are those of something else than the file.
            .accept_encoding("identity")
            .http_status_as_error(false)
            // Redirects are followed here, where it is known who may see the token.
            .max_redirects(0)
            // A server that says too much does not say it into the next answer.
            .max_idle_connections(0)
            .timeout_resolve(patience)
            .timeout_connect(patience)
            .timeout_send_request(patience)
            .timeout_recv_response(patience)
            .timeout_per_read(patience)
            .build();
        Ok(Self { agent: config.into(), endpoint, origin, token, limits })
    }

    /// The files that `main` stands for now.
    pub fn list(&self, model: &ModelName) -> Result<Listing, Failure> {
        #[derive(Deserialize)]
        struct Info {
            sha: String,
            siblings: Vec<Sibling>,
        }
        #[derive(Deserialize)]
        struct Sibling {
            rfilename: String,
        }
        let response = self.get(&format!("/api/models/{model}/revision/main"), 0, None)?;
        expect(&response, StatusCode::OK)?;
        if let Some(length) =
            number(&response, CONTENT_LENGTH)?.filter(|&length| length > LIST_BYTES)
        {
            return Err(too_long(length, LIST_BYTES).into());
        }
        let mut content = Vec::new();
        self.receive(response, LIST_BYTES + 1, |piece| {
            content.extend_from_slice(piece);
            Ok(())
        })?;
        if content.len() as u64 > LIST_BYTES {
            return Err(format!("more than the {LIST_BYTES} bytes that are allowed").into());
        }
        let info: Info = serde_json::from_slice(&content).map_err(|error| error.to_string())?;
        let commit = Commit::parse(&info.sha)
            .ok_or_else(|| format!("`{}` is not a commit", shown(&info.sha)))?;
        let files = info.siblings.into_iter().map(|sibling| sibling.rfilename).collect();
        Ok(Listing { commit, files })
    }

    /// What the hub itself, and nobody whom it redirects to, says of a file.
    pub fn look(&self, path: &str, commit: &Commit) -> Result<Announced, String> {
        let mut hop = self.first_hop(path)?;
        let mut said = Announcement::default();
        loop {
            let response = self.send(Method::HEAD, &hop, 0, None)?;
            if let Some(given) = text(&response, X_REPO_COMMIT)
                && given != commit.to_string()
            {
                return Err(format!("it answers for another commit, `{}`", shown(&given)));
            }
            if said.name.is_none() {
                said.name = text(&response, X_LINKED_ETAG);
                said.size = number(&response, X_LINKED_SIZE)?;
            }
            match self.next_hop(&hop, &response)? {
                Some(next) if next.is_at_home && said.name.is_none() => hop = next,
                Some(_) => break,
                None => {
                    expect(&response, StatusCode::OK)?;
                    if said.name.is_none() {
                        said.name = text(&response, ETAG);
                        said.size = number(&response, CONTENT_LENGTH)?;
                    }
                    break;
                }
            }
        }
        let name = said.name.ok_or("the hub names no hash of it")?;
        let digits = name.strip_prefix("W/").unwrap_or(&name).trim_matches('"');
        let hash = ContentHash::parse(digits).ok_or_else(|| {
            let digits = shown(digits);
            format!("its ETag `{digits}` is neither a SHA-256 nor the SHA-1 of a git blob")
        })?;
        Ok(Announced { hash, size: said.size })
    }

    /// A file from byte `from` on, or something else, as its status says. It has as much time as its size
    /// takes at the least speed.
    pub fn get(&self, path: &str, from: u64, size: Option<u64>) -> Result<Response<Body>, String> {
        let mut hop = self.first_hop(path)?;
        loop {
            let response = self.send(Method::GET, &hop, from, size)?;
            if let Some(next) = self.next_hop(&hop, &response)? {
                hop = next;
                continue;
            }
            if size.is_some_and(|size| size > CHUNKED_BYTES)
                && response.headers().contains_key(TRANSFER_ENCODING)
            {
                return Err(format!("it comes in chunks, allowed up to {CHUNKED_BYTES} bytes"));
            }
            return Ok(response);
        }
    }

    fn first_hop(&self, path: &str) -> Result<Hop, String> {
        let address = format!("{}{path}", self.endpoint);
        let address = address.parse().map_err(|_| not_an_address(&address))?;
        Ok(Hop { address, is_at_home: true, redirects: 0 })
    }

    fn next_hop(&self, from: &Hop, response: &Response<Body>) -> Result<Option<Hop>, String> {
        if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        if from.redirects == self.limits.redirects {
            return Err(format!("more than {} redirects", self.limits.redirects));
        }
        let location = text(response, LOCATION).filter(|location| !location.is_empty());
        let location = location.ok_or("it redirects to nowhere")?;
        let to = shown(&location);
        let not_allowed = || format!("it redirects to `{to}`, allowed: http and https");
        let address = resolve(&from.address, &location).ok_or_else(not_allowed)?;
        let (origin, before) =
            (Origin::of(&address).map_err(|_| not_allowed())?, Origin::of(&from.address)?);
        if before.is_https && !origin.is_https {
            return Err(format!("it redirects from https to `{to}`, allowed: https"));
        }
        let is_at_home = from.is_at_home && origin == self.origin;
        Ok(Some(Hop { address, is_at_home, redirects: from.redirects + 1 }))
    }

    fn send(
        &self,
        method: Method,
        hop: &Hop,
        from: u64,
        size: Option<u64>,
    ) -> Result<Response<Body>, String> {
        let request = if method == Method::HEAD {
            self.agent.head(&hop.address)
        } else {
            self.agent.get(&hop.address)
        };
        let time = self.time_for(size.unwrap_or(UNANNOUNCED_BYTES));
        let mut request = request.config().timeout_recv_body(Some(time)).build();
        if from > 0 {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        if let Some(token) = self.token.as_ref().filter(|_| hop.is_at_home) {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        request.call().map_err(|error| self.broken(error))
    }

    fn broken(&self, error: ureq::Error) -> String {
        match error {
            ureq::Error::Timeout(Timeout::RecvBody) => "it is too slow".to_owned(),
            ureq::Error::Timeout(_) => {
                format!("nothing came for {} s", self.limits.patience.as_secs_f64())
            }
            error => error.to_string(),
        }
    }

    /// What the slowest server that is borne with takes for so many bytes.
    fn time_for(&self, bytes: u64) -> Duration {
        let windows = (bytes / self.limits.window_bytes).saturating_add(2);
        self.limits.window.saturating_mul(u32::try_from(windows).unwrap_or(u32::MAX))
    }

    /// Hands on what a server sends, until it ends or has sent `most` bytes, and says how many it were.
    pub fn receive(
        &self,
        response: Response<Body>,
        most: u64,
        mut take: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<u64, Failure> {
        let mut reader = response.into_body().into_reader().take(most);
        let mut buffer = vec![0; 1 << 16];
        let mut received = 0;
        let (mut window, mut before) = (Instant::now(), 0);
        while received < most {
            let read = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.broken(error.into()).into()),
            };
            take(&buffer[..read])?;
            received += read as u64;
            if window.elapsed() >= self.limits.window {
                if received - before < self.limits.window_bytes {
                    let (bytes, time) = (received - before, self.limits.window.as_secs_f64());
                    return Err(format!("it is too slow: {bytes} bytes in {time} s").into());
                }
                (window, before) = (Instant::now(), received);
            }
        }
        Ok(received)
    }
}

const X_LINKED_ETAG: HeaderName = HeaderName::from_static("x-linked-etag");
const X_LINKED_SIZE: HeaderName = HeaderName::from_static("x-linked-size");
const X_REPO_COMMIT: HeaderName = HeaderName::from_static("x-repo-commit");

#[cfg(test)]
mod tests {
    use super::*;

    fn client(endpoint: &str) -> Client {
        Client::new(endpoint, None, Limits::default()).unwrap()
    }

    /// Where a redirect leads, and whether the token goes along.
    fn redirect(endpoint: &str, location: &str) -> Result<(String, bool), String> {
        let client = client(endpoint);
        let response = Response::builder().status(302).header(LOCATION, location);
        let response = response.body(Body::builder().data("")).unwrap();
        let hop = client.first_hop("/a/b/c?d=e").unwrap();
        let next = client.next_hop(&hop, &response)?.unwrap();
        Ok((next.address.to_string(), next.is_at_home))
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let hub = "https://hub.example";
        for home in ["https://hub.example/x", "https://HUB.example:443/x", "//hub.example/x", "/x"]
        {
            assert!(redirect(hub, home).unwrap().1, "{home}");
        }
        for elsewhere in [
            "https://hub.example:444/x",
            "https://hub.example.net/x",
            "https://x.hub.example/x",
            "https://hub.example@other.example/x",
            "//other.example/hub.example",
        ] {
            assert!(!redirect(hub, elsewhere).unwrap().1, "{elsewhere}");
        }
        assert!(!redirect("http://hub.example", "https://hub.example/x").unwrap().1);
        assert!(redirect("http://hub.example", "http://hub.example:80/x").unwrap().1);
        assert!(redirect("http://[::1]:8080", "http://[::1]:8080/x").unwrap().1);
    }

    #[test]
    fn nothing_leads_from_https_to_http() {
        for location in ["http://hub.example/x", "http://other.example/x"] {
            let refused = redirect("https://hub.example", location).unwrap_err();
            assert!(refused.contains("from https to"), "{refused}");
        }
    }

    // The examples of RFC 3986, section 5.4, that servers use.
    #[test]
    fn a_location_may_be_relative() {
        for (location, address) in [
            ("g", "http://h/a/b/g"),
            ("./g", "http://h/a/b/g"),
            ("g/", "http://h/a/b/g/"),
            ("/g", "http://h/g"),
            ("//g", "http://g/"),
            ("?y", "http://h/a/b/c?y"),
            ("g?y", "http://h/a/b/g?y"),
            ("g?y/./x:z", "http://h/a/b/g?y/./x:z"),
            ("g#s", "http://h/a/b/g"),
            ("../g", "http://h/a/g"),
            ("../../g", "http://h/g"),
            ("../../../g", "http://h/g"),
            ("http://g/h", "http://g/h"),
        ] {
            assert_eq!(redirect("http://h", location).unwrap().0, address, "{location}");
        }
    }

    #[test]
    fn a_token_that_no_header_can_hold_is_named_and_not_shown() {
        for token in ["hf_secret\nX: y", "hf_secret\u{1}", "hf_secret\u{e9}", "hf secret"] {
            let client = Client::new("http://h", Some(token.to_owned()), Limits::default());
            let refused = client.err().unwrap();
            assert!(refused.starts_with("HF_TOKEN: ") && !refused.contains("secret"), "{refused}");
        }
    }

    // They would be read as if no port was there.
    #[test]
    fn a_port_that_is_none_is_no_address() {
        for endpoint in ["http://h:99999", "http://u:p@h:65536/x", "https://[::1]:-1", "http://h:x"]
        {
            let refused = Client::new(endpoint, None, Limits::default()).err().unwrap();
            assert!(refused.contains("is not an address"), "{refused}");
            assert!(redirect("http://h", endpoint).is_err());
        }
        for endpoint in ["http://h:65535", "http://u:p@h:1/x", "https://[::1]:443", "http://h:"] {
            client(endpoint);
        }
    }

    #[test]
    fn an_endpoint_may_have_a_path_and_a_slash_too_many() {
        let hop = client("https://mirror.example/hub//").first_hop("/gpt2").unwrap();
        assert_eq!(hop.address.to_string(), "https://mirror.example/hub/gpt2");
    }
}
