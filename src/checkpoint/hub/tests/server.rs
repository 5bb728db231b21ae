//! A hub on this machine that answers as a test wants it to.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

pub const MODEL: &str = "someone/demo";
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
pub const TOKEN: &str = "hf_secret";
pub const LIST: &str = "/api/models/someone/demo/revision/main";

pub const CONFIG: &[u8] = b"{\"model_type\": \"gpt2\"}\n";
pub const TOKENIZER: &[u8] = b"{\"version\": \"1.0\"}\n";
/// What `git hash-object` and `sha256sum` say.
pub const CONFIG_SHA1: &str = "3914be8a017af6f2a58402c37134858a1cce9b22";
pub const TOKENIZER_SHA1: &str = "92bdb0aff34a95a7c00546c3d608c984294164ed";
pub const WEIGHTS_SHA256: &str = "b9a7378c8d1f2e367751cefe1f5803ea9e090015f8334a8d8e29746e9c98096b";

/// The first byte of whoever speaks TLS.
const TLS_HANDSHAKE: u8 = 0x16;

pub fn weights() -> Vec<u8> {
    (0..20_000_u32).map(|i| (i * i % 251) as u8).collect()
}

/// One thing that a server does with a connection.
pub enum Step {
    Send(Vec<u8>),
    Wait(Duration),
    /// Sends this, byte for byte and over and over, with a pause after each.
    Drip(Vec<u8>, Duration),
    /// Sends this over and over.
    Forever(Vec<u8>),
    /// Breaks the connection, instead of closing it.
    Reset,
}

pub type Reply = Vec<Step>;

/// A request, and where it arrived.
#[derive(Clone)]
pub struct Request {
    /// Whether it arrived at the other server, which is not the hub.
    pub elsewhere: bool,
    /// Or `TLS`, which this server does not speak.
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| &**value)
    }

    /// The first byte that is asked for, if it is not the whole file.
    pub fn from(&self) -> Option<usize> {
        self.header("range")?.strip_prefix("bytes=")?.split('-').next()?.parse().ok()
    }

    /// The file of the model that is asked for.
    pub fn file(&self) -> Option<&str> {
        self.path.strip_prefix("/someone/demo/resolve/")?.split_once('/').map(|(_, file)| file)
    }

    /// Whether the content of this file is asked for.
    pub fn gets(&self, file: &str) -> bool {
        self.method == "GET" && self.file() == Some(file)
    }
}

/// What a server knows of the world.
#[derive(Clone)]
pub struct Place {
    /// The port of the hub, on 127.0.0.1.
    pub hub: u16,
    /// The port of the other server.
    pub elsewhere: u16,
    /// A file that nobody may touch.
    pub victim: PathBuf,
}

pub type Answer = fn(&Request, &Place) -> Option<Reply>;

/// The hub and another server, both as honest as `answer` lets them be.
pub struct Servers {
    pub place: Place,
    pub requests: Arc<Mutex<Vec<Request>>>,
}

impl Servers {
    pub fn start(victim: PathBuf, answer: Answer) -> Self {
        let listen = || TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = |listener: &TcpListener| listener.local_addr().expect("an address").port();
        let (hub, elsewhere) = (listen(), listen());
        let place = Place { hub: port(&hub), elsewhere: port(&elsewhere), victim };
        let requests = Arc::new(Mutex::new(Vec::new()));
        for (listener, is_elsewhere) in [(hub, false), (elsewhere, true)] {
            let (place, requests) = (place.clone(), requests.clone());
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let (place, requests) = (place.clone(), requests.clone());
                    // A client that goes away is its own affair.
                    thread::spawn(move || serve(stream, is_elsewhere, answer, &place, &requests));
                }
            });
        }
        Self { place, requests }
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.place.hub)
    }
}

fn serve(
    mut stream: TcpStream,
    elsewhere: bool,
    answer: Answer,
    place: &Place,
    requests: &Mutex<Vec<Request>>,
) -> std::io::Result<()> {
    // All but the last byte: a connection that is closed with something unread is reset.
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
        if head == [TLS_HANDSHAKE] {
            head = b"TLS ".to_vec();
            break;
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let request = Request {
        elsewhere,
        method: first.next().unwrap_or_default(),
        path: first.next().unwrap_or_default(),
        headers: lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    };
    if let Ok(mut requests) = requests.lock() {
        requests.push(request.clone());
    }
    let reply = answer(&request, place).unwrap_or_else(|| honest(&request, place));
    let mut to_read = Some(byte);
    for step in reply {
        match step {
            Step::Send(bytes) => stream.write_all(&bytes)?,
            Step::Wait(time) => thread::sleep(time),
            Step::Drip(bytes, pause) => loop {
                for byte in &bytes {
                    stream.write_all(std::slice::from_ref(byte))?;
                    thread::sleep(pause);
                }
            },
            Step::Forever(bytes) => loop {
                stream.write_all(&bytes)?;
            },
            Step::Reset => {
                // What was sent has to arrive first.
                thread::sleep(Duration::from_millis(50));
                to_read = None;
            }
        }
    }
    if let Some(mut byte) = to_read {
        stream.read_exact(&mut byte)?;
    }
    Ok(())
}

/// What the hub of Hugging Face answers: small files after a redirect to itself, large ones after a
/// redirect to another server.
pub fn honest(request: &Request, place: &Place) -> Reply {
    if request.path == LIST {
        return list(COMMIT, &["README.md", "config.json", "model.safetensors", "tokenizer.json"]);
    }
    let commit = ("X-Repo-Commit", COMMIT);
    match request.file().unwrap_or(&request.path) {
        "config.json" => file(request, CONFIG, &[commit, ("ETag", &quoted(CONFIG_SHA1))]),
        "tokenizer.json" => redirect("/api/resolve-cache/tokenizer.json", &[commit]),
        "/api/resolve-cache/tokenizer.json" => {
            file(request, TOKENIZER, &[commit, ("ETag", &quoted(TOKENIZER_SHA1))])
        }
        "model.safetensors" => redirect(
            &format!("http://127.0.0.1:{}/storage/weights", place.elsewhere),
            &[commit, ("X-Linked-Etag", &quoted(WEIGHTS_SHA256)), ("X-Linked-Size", "20000")],
        ),
        "/storage/weights" => file(request, &weights(), &[("ETag", "\"of-the-storage\"")]),
        _ => status("404 Not Found"),
    }
}

pub fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

pub fn list(commit: &str, files: &[&str]) -> Reply {
    let files: Vec<_> = files.iter().map(|file| format!("{{\"rfilename\": {file:?}}}")).collect();
    let files = files.join(", ");
    let body = format!("{{\"id\": {MODEL:?}, \"sha\": {commit:?}, \"siblings\": [{files}]}}");
    whole("200 OK", &[("Content-Type", "application/json")], body.as_bytes())
}

/// A response with these headers and nothing else.
pub fn head(status: &str, headers: &[(&str, &str)]) -> Step {
    let headers: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    Step::Send(format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n").into_bytes())
}

pub fn whole(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let length = body.len().to_string();
    let headers = [headers, &[("Content-Length", &*length)]].concat();
    vec![head(status, &headers), Step::Send(body.to_vec())]
}

pub fn status(status: &str) -> Reply {
    whole(status, &[], b"")
}

pub fn redirect(location: &str, headers: &[(&str, &str)]) -> Reply {
    let headers = [headers, &[("Location", location)]].concat();
    whole("302 Found", &headers, b"")
}

/// A file, or its head, or the end of it, as asked for.
pub fn file(request: &Request, content: &[u8], headers: &[(&str, &str)]) -> Reply {
    let length = content.len();
    if request.method == "HEAD" {
        let length = length.to_string();
        return vec![head("200 OK", &[headers, &[("Content-Length", &*length)]].concat())];
    }
    match request.from() {
        None => whole("200 OK", headers, content),
        Some(from) if from >= length => status("416 Range Not Satisfiable"),
        Some(from) => {
            let range = format!("bytes {from}-{}/{length}", length - 1);
            let headers = [headers, &[("Content-Range", &*range)]].concat();
            whole("206 Partial Content", &headers, &content[from..])
        }
    }
}
