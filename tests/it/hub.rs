//! The hub, played by a small server on this machine. What hubs do that mean no good is tested beside the client.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};

use crate::support::einstein_sweep;

const MODEL: &str = "someone/demo";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const WEIGHTS: &str = "model.safetensors";

/// How the server misbehaves.
#[derive(Default, Clone, Copy)]
struct Behaviour {
    /// Breaks off in the middle of the weights.
    breaks_off: bool,
    /// Sends whole files, whatever range is asked for.
    ignores_ranges: bool,
}

/// The requests of one file: the first byte asked for, and the token sent along.
type Requests = Vec<(String, Option<usize>, Option<String>)>;

struct Hub {
    address: String,
    behaviour: Arc<Mutex<Behaviour>>,
    requests: Arc<Mutex<Requests>>,
}

impl Hub {
    fn start() -> Self {
        let read = |name| {
            let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo-model");
            (name, std::fs::read(assets.join(name)).unwrap())
        };
        Self::serving(["config.json", WEIGHTS, "tokenizer.json"].into_iter().map(read).collect())
    }

    /// The same model, with its tokenizer in the original files.
    fn with_original_tokenizer() -> Self {
        let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo-model");
        let read = |name| std::fs::read(assets.join(name)).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&read("tokenizer.json")).unwrap();
        let merges = json["model"]["merges"].as_array().unwrap().iter();
        let line = |merge: &serde_json::Value| {
            format!("{} {}\n", merge[0].as_str().unwrap(), merge[1].as_str().unwrap())
        };
        Self::serving(HashMap::from([
            ("config.json", read("config.json")),
            (WEIGHTS, read(WEIGHTS)),
            ("vocab.json", json["model"]["vocab"].to_string().into_bytes()),
            ("merges.txt", merges.map(line).collect::<String>().into_bytes()),
            ("added_tokens.json", br#"{"<|endoftext|>": 0}"#.to_vec()),
            ("special_tokens_map.json", br#"{"eos_token": "<|endoftext|>"}"#.to_vec()),
            ("tokenizer_config.json", b"{}".to_vec()),
        ]))
    }

    fn serving(files: HashMap<&'static str, Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let behaviour = Arc::new(Mutex::new(Behaviour::default()));
        let requests = Arc::new(Mutex::new(Requests::new()));
        let (shared_behaviour, shared_requests) = (behaviour.clone(), requests.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let behaviour = *shared_behaviour.lock().unwrap();
                // A client that goes away is its own affair.
                let _ = answer(stream, &files, behaviour, &shared_requests);
            }
        });
        Self { address, behaviour, requests }
    }

    fn sweep(&self, home: &Path, environment: &[(&str, &str)]) -> Output {
        let out = tempfile::tempdir().unwrap();
        let own = [("HF_HOME", home.to_str().unwrap()), ("HF_ENDPOINT", &self.address)];
        einstein_sweep(
            &[&own, environment].concat(),
            &["--model", MODEL, "--json", "--out", out.path().to_str().unwrap()],
        )
    }

    /// First bytes of the requests for the weights that are more than a look.
    fn weight_requests(&self) -> Vec<Option<usize>> {
        let requests = self.requests.lock().unwrap();
        requests.iter().filter(|(file, ..)| file == WEIGHTS).map(|&(_, start, _)| start).collect()
    }
}

fn answer(
    stream: TcpStream,
    files: &HashMap<&str, Vec<u8>>,
    behaviour: Behaviour,
    requests: &Mutex<Requests>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(&stream).lines();
    let request = lines.next().unwrap_or(Ok(String::new()))?;
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = HashMap::new();
    for line in lines.by_ref() {
        let line = line?;
        let Some((name, value)) = line.split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut stream = &stream;
    if path == format!("/api/models/{MODEL}/revision/main") {
        let siblings: Vec<_> =
            files.keys().map(|name| serde_json::json!({ "rfilename": name })).collect();
        let body = serde_json::json!({ "siblings": siblings, "sha": COMMIT }).to_string();
        return write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            body.len()
        );
    }
    let file = path.strip_prefix(&format!("/{MODEL}/resolve/{COMMIT}/")).unwrap_or_default();
    let Some(content) = files.get(file) else {
        return write!(
            stream,
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
    };
    let range = headers.get("range").and_then(|range| range.strip_prefix("bytes="));
    let range = range.filter(|_| !behaviour.ignores_ranges);
    let first: usize = range.map_or(0, |range| range.trim_end_matches('-').parse().unwrap());
    let is_look = request.starts_with("HEAD ");
    if !is_look {
        let token = headers.get("authorization").cloned();
        requests.lock().unwrap().push((file.to_owned(), Some(first), token));
    }
    let (body, length) = (&content[first..], content.len());
    let status = match range {
        Some(_) => {
            format!("206 Partial Content\r\nContent-Range: bytes {first}-{}/{length}", length - 1)
        }
        None => "200 OK".to_owned(),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nETag: \"{}\"\r\nX-Repo-Commit: {COMMIT}\r\n\
         Connection: close\r\n\r\n",
        body.len(),
        hash(file, content),
    )?;
    match () {
        () if is_look => Ok(()),
        () if behaviour.breaks_off && file == WEIGHTS => stream.write_all(&body[..body.len() / 2]),
        () => stream.write_all(body),
    }
}

/// As the hub has it: SHA-256 of weights, and git's SHA-1 of what is small.
fn hash(file: &str, content: &[u8]) -> String {
    let hash = if file == WEIGHTS {
        digest(&SHA256, content)
    } else {
        let object = [format!("blob {}\0", content.len()).as_bytes(), content].concat();
        digest(&SHA1_FOR_LEGACY_USE_ONLY, &object)
    };
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[track_caller]
fn assert_ok(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["model"]["name"], &json["clean"]["rank"]), (&MODEL.into(), &2.into()));
}

#[track_caller]
fn assert_failed(output: &Output, expected: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains(expected), "{expected:?} is not in {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn a_model_is_downloaded_once_and_then_taken_from_the_cache() {
    let (hub, home) = (Hub::start(), tempfile::tempdir().unwrap());
    assert_ok(&hub.sweep(home.path(), &[("HF_TOKEN", "hf_secret")]));
    let requests = hub.requests.lock().unwrap().clone();
    assert_eq!(requests.len(), 3);
    let bearer = Some("Bearer hf_secret".to_owned());
    assert!(requests.iter().all(|(_, _, token)| *token == bearer), "{requests:?}");
    let main = home.path().join("hub/models--someone--demo/refs/main");
    assert_eq!(std::fs::read_to_string(main).unwrap(), COMMIT);

    assert_ok(&hub.sweep(home.path(), &[]));
    assert_ok(&hub.sweep(home.path(), &[("HF_HUB_OFFLINE", "1")]));
    assert_ok(&hub.sweep(home.path(), &[("HF_ENDPOINT", "http://127.0.0.1:9")]));
    assert_eq!(hub.requests.lock().unwrap().len(), 3);
}

#[test]
fn the_cache_directory_is_the_one_that_is_named() {
    let (hub, home) = (Hub::start(), tempfile::tempdir().unwrap());
    let cache = tempfile::tempdir().unwrap();
    assert_ok(&hub.sweep(home.path(), &[("HF_HUB_CACHE", cache.path().to_str().unwrap())]));
    assert!(cache.path().join("models--someone--demo").join("snapshots").join(COMMIT).exists());
    assert!(!home.path().join("hub").exists());
}

#[test]
fn a_tilde_is_the_users_home() {
    let (hub, home) = (Hub::start(), tempfile::tempdir().unwrap());
    let user = ("HOME", home.path().to_str().unwrap());
    assert_ok(&hub.sweep(home.path(), &[user, ("HF_HUB_CACHE", "~/named")]));
    assert!(home.path().join("named/models--someone--demo/refs/main").exists());
    std::fs::write(home.path().join("mine"), "hf_secret\n").unwrap();
    assert_ok(&hub.sweep(home.path(), &[user, ("HF_TOKEN_PATH", "~/mine")]));
    let last = hub.requests.lock().unwrap().last().cloned().unwrap();
    assert_eq!(last.2.unwrap(), "Bearer hf_secret");
}

#[test]
fn a_proxy_that_cannot_be_used_is_refused_and_not_passed_over() {
    let (hub, home) = (Hub::start(), tempfile::tempdir().unwrap());
    for (name, value) in [
        ("ALL_PROXY", "socks5://me:secret@127.0.0.1:1080"),
        ("HTTPS_PROXY", ":::"),
        ("http_proxy", "ftp://127.0.0.1:21"),
    ] {
        let output = hub.sweep(home.path(), &[(name, value)]);
        assert_failed(&output, &format!("{name} names no proxy that can be used"));
        assert!(!String::from_utf8_lossy(&output.stderr).contains("secret"));
    }
    assert!(hub.requests.lock().unwrap().is_empty());
    assert_ok(&hub.sweep(home.path(), &[("ALL_PROXY", "")]));
}

#[test]
fn offline_without_a_cache_is_an_error_that_says_why() {
    let (hub, home) = (Hub::start(), tempfile::tempdir().unwrap());
    let output = hub.sweep(home.path(), &[("HF_HUB_OFFLINE", "1")]);
    assert_failed(&output, "`someone/demo` is not in the cache");
    assert_failed(&output, "HF_HUB_OFFLINE is set");
    assert!(hub.requests.lock().unwrap().is_empty());
}

#[test]
fn an_interrupted_download_resumes_and_its_half_is_never_loaded() {
    let (hub, home) = (Hub::start(), tempfile::tempdir().unwrap());
    hub.behaviour.lock().unwrap().breaks_off = true;
    assert_failed(&hub.sweep(home.path(), &[]), "cannot get `model.safetensors`");
    assert_failed(&hub.sweep(home.path(), &[("HF_HUB_OFFLINE", "1")]), "not in the cache");
    hub.behaviour.lock().unwrap().breaks_off = false;
    assert_ok(&hub.sweep(home.path(), &[]));
    let [Some(0), Some(resumed)] = hub.weight_requests()[..] else {
        panic!("{:?}", hub.weight_requests())
    };
    assert!(resumed > 1_000_000, "resumed at byte {resumed}");
}

#[test]
fn a_server_that_cannot_resume_makes_the_download_start_again() {
    let (hub, home) = (Hub::start(), tempfile::tempdir().unwrap());
    *hub.behaviour.lock().unwrap() = Behaviour { breaks_off: true, ignores_ranges: false };
    assert_failed(&hub.sweep(home.path(), &[]), "cannot get `model.safetensors`");
    *hub.behaviour.lock().unwrap() = Behaviour { breaks_off: false, ignores_ranges: true };
    assert_ok(&hub.sweep(home.path(), &[]));
    assert_eq!(hub.weight_requests(), [Some(0), Some(0)]);
}

#[test]
fn the_cache_is_laid_out_as_everybody_expects_it() {
    let (hub, home) = (Hub::start(), tempfile::tempdir().unwrap());
    assert_ok(&hub.sweep(home.path(), &[]));
    let model = home.path().join("hub/models--someone--demo");
    for file in ["config.json", WEIGHTS, "tokenizer.json"] {
        let content = std::fs::read(model.join("snapshots").join(COMMIT).join(file)).unwrap();
        let link = model.join("snapshots").join(COMMIT).join(file).read_link().unwrap();
        assert_eq!(link, Path::new("../../blobs").join(hash(file, &content)));
    }
    assert_eq!(std::fs::read_dir(model.join("blobs")).unwrap().count(), 3);
}

#[test]
fn a_damaged_cache_says_which_file_to_delete() {
    let (hub, home) = (Hub::start(), tempfile::tempdir().unwrap());
    assert_ok(&hub.sweep(home.path(), &[]));
    let snapshot = home.path().join("hub/models--someone--demo/snapshots").join(COMMIT);
    for file in ["config.json", WEIGHTS, "tokenizer.json"] {
        let blob = snapshot.join(file).canonicalize().unwrap();
        let content = std::fs::read(&blob).unwrap();
        std::fs::write(&blob, &content[..content.len() / 2]).unwrap();
        let output = hub.sweep(home.path(), &[]);
        assert_failed(&output, &format!("{}: damaged", blob.display()));
        assert_failed(&output, "delete it, and it is downloaded again");
        std::fs::remove_file(&blob).unwrap();
        assert_ok(&hub.sweep(home.path(), &[]));
    }
}

#[test]
fn a_name_that_no_model_can_have_is_an_error() {
    let (hub, home) = (Hub::start(), tempfile::tempdir().unwrap());
    let output = einstein_sweep(
        &[("HF_HOME", home.path().to_str().unwrap()), ("HF_ENDPOINT", &hub.address)],
        &["--model", "a b\n", "--out", home.path().join("out").to_str().unwrap()],
    );
    assert_failed(&output, r#""a b\n" is not the name of a model on the hub"#);
}

#[test]
fn a_model_that_the_hub_does_not_have_is_an_error() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let output = einstein_sweep(
        &[("HF_HOME", home.path().to_str().unwrap()), ("HF_ENDPOINT", &hub.address)],
        &["--model", "someone/else", "--out", home.path().join("out").to_str().unwrap()],
    );
    assert_failed(&output, "cannot get `the list of files` of `someone/else` from the hub");
}

#[test]
fn what_is_said_beside_the_original_files_is_downloaded_with_them() {
    let (hub, home) = (Hub::with_original_tokenizer(), tempfile::tempdir().unwrap());
    let output = hub.sweep(home.path(), &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let requests = hub.requests.lock().unwrap();
    let mut files: Vec<_> = requests.iter().map(|(file, ..)| file.as_str()).collect();
    files.sort();
    let expected = [
        "added_tokens.json",
        "config.json",
        "merges.txt",
        WEIGHTS,
        "special_tokens_map.json",
        "tokenizer_config.json",
        "vocab.json",
    ];
    assert_eq!(files, expected);
}
