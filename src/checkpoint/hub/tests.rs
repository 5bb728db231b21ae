//! Downloads from hubs that mean no good.

mod hostile;
mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use hostile::{Hurry, ROWS};
use server::{
    CONFIG, CONFIG_SHA1, MODEL, Reply, Request, Servers, TOKEN, TOKENIZER, TOKENIZER_SHA1,
    WEIGHTS_SHA256, weights,
};

use super::client::Limits;
use super::{Download, DownloadProgress, Hub};
use crate::error::{CheckpointError, Error};

const PATIENT: Limits = Limits {
    patience: Duration::from_secs(10),
    window: Duration::from_secs(10),
    window_bytes: 1000,
    redirects: 10,
    patience_with_others: Duration::from_secs(10),
};
const IN_A_HURRY_FOR_BYTES: Limits = Limits {
    patience: Duration::from_millis(200),
    window: Duration::from_millis(400),
    window_bytes: 200,
    ..PATIENT
};
const IN_A_HURRY_FOR_ALL: Limits =
    Limits { window: Duration::from_millis(200), window_bytes: 1 << 20, ..PATIENT };
/// What no download takes. It allows for a machine that is busy with other tests.
const TOO_LONG: Duration = Duration::from_secs(3);

/// A user's files: a cache, and something beside it.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        fs::write(home.victim(), "mine").unwrap();
        fs::create_dir_all(home.blobs()).unwrap();
        home
    }

    fn victim(&self) -> PathBuf {
        self.0.path().join("victim")
    }

    fn cache(&self) -> PathBuf {
        self.0.path().join("home").join("hub")
    }

    fn model(&self) -> PathBuf {
        self.cache().join("models--someone--demo")
    }

    fn blobs(&self) -> PathBuf {
        self.model().join("blobs")
    }

    fn incomplete(&self) -> PathBuf {
        self.blobs().join(format!("{WEIGHTS_SHA256}.incomplete"))
    }

    fn hub(&self, servers: &Servers, limits: Limits) -> Hub {
        Hub {
            cache: self.cache(),
            endpoint: servers.endpoint(),
            token: Some(TOKEN.to_owned()),
            is_offline: false,
            limits,
        }
    }

    /// Whatever a hub did, it did it in the cache and to the model, and left nothing false.
    #[track_caller]
    fn assert_unharmed(&self) {
        assert_eq!(fs::read(self.victim()).unwrap(), b"mine");
        assert_eq!(names(self.0.path()), ["home", "victim"]);
        assert_eq!(names(&self.0.path().join("home")), ["hub"]);
        for name in names(&self.cache()) {
            assert!([".locks", "models--someone--demo"].contains(&&*name), "{name:?}");
        }
        for name in names(&self.blobs()) {
            let content = fs::read(self.blobs().join(&name)).unwrap();
            assert!(content.len() <= 16 << 20, "{name} has {} bytes", content.len());
            let (hash, is_whole) =
                name.strip_suffix(".incomplete").map_or((&*name, true), |hash| (hash, false));
            match hash {
                _ if !is_whole => {}
                CONFIG_SHA1 => assert_eq!(content, CONFIG),
                TOKENIZER_SHA1 => assert_eq!(content, TOKENIZER),
                WEIGHTS_SHA256 => assert_eq!(content, weights()),
                // Of an index, which the hub may write as it likes.
                _ => assert!(hash.len() == 40 && content.starts_with(b"{\"weight_map\""), "{name}"),
            }
        }
    }

    #[track_caller]
    fn assert_whole(&self, snapshot: &Path) {
        assert_eq!(snapshot, self.model().join("snapshots").join(server::COMMIT));
        assert_eq!(fs::read(snapshot.join("config.json")).unwrap(), CONFIG);
        assert_eq!(fs::read(snapshot.join("tokenizer.json")).unwrap(), TOKENIZER);
        assert_eq!(fs::read(snapshot.join("model.safetensors")).unwrap(), weights());
        assert_eq!(fs::read_to_string(self.model().join("refs/main")).unwrap(), server::COMMIT);
        assert_eq!(names(&self.model().join("refs")), ["main"]);
        assert!(!self.incomplete().exists());
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn honest(_: &Request, _: &server::Place) -> Option<Reply> {
    None
}

/// The token goes where the user said, and nowhere else.
#[track_caller]
fn assert_token_kept(servers: &Servers) {
    let origin = servers.endpoint().replace("http://", "");
    for request in servers.requests.lock().unwrap().iter() {
        let is_hub = !request.elsewhere && request.header("host") == Some(&origin);
        let has_token = request.headers.iter().any(|(_, value)| value.contains(TOKEN));
        assert!(!has_token || is_hub, "{} at {:?}", request.path, request.header("host"));
    }
}

/// Every row: a download from its hub, and then one from an honest hub into the same cache.
#[track_caller]
fn check(row: &str) {
    let (_, row) = ROWS.iter().find(|(name, _)| *name == row).unwrap();
    let home = Home::new();
    if let Some(left_over) = row.left_over {
        fs::write(home.incomplete(), left_over()).unwrap();
    }
    let servers = Servers::start(home.victim(), row.answer);
    let hub = home.hub(
        &servers,
        match row.hurry {
            Hurry::No => PATIENT,
            Hurry::ForBytes => IN_A_HURRY_FOR_BYTES,
            Hurry::ForAll => IN_A_HURRY_FOR_ALL,
        },
    );
    let began = Instant::now();
    let result = hub.snapshot(MODEL, Download::Quietly);
    let time = began.elapsed();
    home.assert_unharmed();
    assert_token_kept(&servers);
    assert!(time < TOO_LONG, "{time:?}");
    match (row.error, result) {
        (None, Ok(snapshot)) => home.assert_whole(&snapshot),
        (Some(expected), Err(error)) => {
            let message = error.to_string();
            assert!(matches!(error, Error::Checkpoint(CheckpointError::Hub { .. })), "{error:?}");
            assert!(message.contains(expected), "{message}");
            assert!(message.starts_with("cannot get `") && message.contains(MODEL), "{message}");
            assert!(message.len() < 500, "{message}");
            let is_plain = |character: char| !character.is_control() && character != '\u{202e}';
            assert!(message.chars().all(is_plain), "{message:?}");
            assert!(!message.contains(TOKEN), "{message}");
            // Nothing of it is taken for a model.
            let cached = hub.snapshot(MODEL, Download::Off);
            assert!(matches!(cached, Err(Error::Checkpoint(CheckpointError::NotCached { .. }))));
        }
        (expected, result) => panic!("{expected:?}, but {result:?}"),
    }

    let servers = Servers::start(home.victim(), honest);
    let snapshot = home.hub(&servers, PATIENT).snapshot(MODEL, Download::Quietly).unwrap();
    home.assert_whole(&snapshot);
    home.assert_unharmed();
}

#[test]
fn the_token_is_sent_to_the_hub() {
    let home = Home::new();
    let servers = Servers::start(home.victim(), honest);
    home.hub(&servers, PATIENT).snapshot(MODEL, Download::Quietly).unwrap();
    let requests = servers.requests.lock().unwrap();
    let of_the_hub: Vec<_> = requests.iter().filter(|request| !request.elsewhere).collect();
    assert_eq!(
        of_the_hub.len(),
        1 + 2 + 2 + 4,
        "list, and a look and a file, each redirected at times"
    );
    let bearer = Some("Bearer hf_secret");
    assert!(of_the_hub.iter().all(|request| request.header("authorization") == bearer));
    assert!(requests.iter().all(|request| request.header("accept-encoding") == Some("identity")));
}

#[test]
fn who_comes_back_to_the_hub_from_elsewhere_brings_no_token() {
    fn detour(request: &Request, place: &server::Place) -> Option<Reply> {
        match &*request.path {
            "/storage/weights" if request.elsewhere => {
                let back = format!("http://127.0.0.1:{}/storage/weights", place.hub);
                Some(server::redirect(&back, &[]))
            }
            _ => None,
        }
    }
    let home = Home::new();
    let servers = Servers::start(home.victim(), detour);
    home.assert_whole(&home.hub(&servers, PATIENT).snapshot(MODEL, Download::Quietly).unwrap());
    let requests = servers.requests.lock().unwrap();
    let back =
        requests.iter().find(|request| request.path == "/storage/weights" && !request.elsewhere);
    assert_eq!(back.unwrap().header("authorization"), None);
}

#[test]
fn what_is_downloaded_is_told_byte_for_byte() {
    let home = Home::new();
    fs::write(home.incomplete(), &weights()[..5000]).unwrap();
    let servers = Servers::start(home.victim(), honest);
    let mut told = Vec::new();
    let mut report = |progress: DownloadProgress<'_>| {
        told.push((progress.file.to_owned(), progress.bytes_done, progress.bytes_total));
    };
    home.hub(&servers, PATIENT).snapshot(MODEL, Download::Reporting(&mut report)).unwrap();
    let of = |file: &str| -> Vec<_> { told.iter().filter(|(told, ..)| told == file).collect() };
    let weights = of("model.safetensors");
    assert_eq!(*weights[0], ("model.safetensors".to_owned(), 5000, 20_000));
    assert!(weights.is_sorted(), "{weights:?}");
    assert_eq!(**weights.last().unwrap(), ("model.safetensors".to_owned(), 20_000, 20_000));
    assert_eq!(*of("config.json")[1], ("config.json".to_owned(), 23, 23));
}

#[test]
fn names_of_models_lead_nowhere_else() {
    let home = Home::new();
    let servers = Servers::start(home.victim(), honest);
    let hub = home.hub(&servers, PATIENT);
    for name in [
        "..", "../x", "a/b/c", "/etc", "a//b", "a/..", "", "a b", "a?b", "a#b", "a%2fb", "a\nb",
        "a--b", "é",
    ] {
        let error = hub.snapshot(name, Download::Quietly).unwrap_err();
        assert!(matches!(error, Error::Checkpoint(CheckpointError::ModelName { .. })), "{error}");
        assert_eq!(error.to_string().lines().count(), 1);
    }
    assert!(servers.requests.lock().unwrap().is_empty());
}

#[test]
fn an_endpoint_that_is_no_address_is_an_error() {
    let home = Home::new();
    let servers = Servers::start(home.victim(), honest);
    for endpoint in
        ["huggingface.co", "file:///etc", "http://", "https:///x", "ftp://a", "http://a b"]
    {
        let hub = Hub { endpoint: endpoint.to_owned(), ..home.hub(&servers, PATIENT) };
        let error = hub.snapshot(MODEL, Download::Quietly).unwrap_err().to_string();
        assert!(error.contains("HF_ENDPOINT") && error.contains(endpoint), "{error}");
    }
}

#[test]
fn two_downloads_at_once_fetch_the_weights_once() {
    fn slowly(request: &Request, _: &server::Place) -> Option<Reply> {
        if request.path.starts_with("/storage") {
            thread::sleep(Duration::from_millis(300));
        }
        None
    }
    let home = Home::new();
    let servers = Servers::start(home.victim(), slowly);
    thread::scope(|scope| {
        let downloads = [(); 4].map(|()| {
            scope.spawn(|| home.hub(&servers, PATIENT).snapshot(MODEL, Download::Quietly).unwrap())
        });
        for snapshot in downloads.map(|download| download.join().unwrap()) {
            home.assert_whole(&snapshot);
        }
    });
    let requests = servers.requests.lock().unwrap();
    assert_eq!(requests.iter().filter(|request| request.path.starts_with("/storage")).count(), 1);
}

#[test]
fn another_process_that_gets_no_further_is_an_error_that_names_its_lock() {
    let home = Home::new();
    let servers = Servers::start(home.victim(), honest);
    let locks = home.cache().join(".locks/models--someone--demo");
    fs::create_dir_all(&locks).unwrap();
    let lock = fs::File::create(locks.join(format!("{WEIGHTS_SHA256}.lock"))).unwrap();
    fs4::FileExt::lock(&lock).unwrap();
    let limits = Limits { patience_with_others: Duration::from_millis(200), ..PATIENT };
    let error = home.hub(&servers, limits).snapshot(MODEL, Download::Quietly).unwrap_err();
    assert!(
        error.to_string().contains(&format!("{WEIGHTS_SHA256}.lock gets no further")),
        "{error}"
    );
    drop(lock);
    home.assert_whole(&home.hub(&servers, limits).snapshot(MODEL, Download::Quietly).unwrap());
}

#[test]
fn a_blob_that_is_damaged_is_downloaded_again_and_not_linked() {
    let home = Home::new();
    for damaged in [vec![7; 20_000], vec![7; 100]] {
        fs::write(home.blobs().join(WEIGHTS_SHA256), damaged).unwrap();
        let servers = Servers::start(home.victim(), honest);
        let snapshot = home.hub(&servers, PATIENT).snapshot(MODEL, Download::Quietly).unwrap();
        home.assert_whole(&snapshot);
        fs::remove_dir_all(home.model().join("refs")).unwrap();
    }
}

#[test]
fn a_link_to_something_else_is_replaced() {
    let home = Home::new();
    let snapshot = home.model().join("snapshots").join(server::COMMIT);
    fs::create_dir_all(&snapshot).unwrap();
    std::os::unix::fs::symlink(home.victim(), snapshot.join("config.json")).unwrap();
    let servers = Servers::start(home.victim(), honest);
    home.assert_whole(&home.hub(&servers, PATIENT).snapshot(MODEL, Download::Quietly).unwrap());
    home.assert_unharmed();
}

#[test]
fn a_reference_that_is_no_commit_is_an_error_that_names_it() {
    let home = Home::new();
    let main = home.model().join("refs").join("main");
    fs::create_dir_all(main.parent().unwrap()).unwrap();
    let servers = Servers::start(home.victim(), honest);
    for content in ["", "main", "../../../../victim"] {
        fs::write(&main, content).unwrap();
        let error = home.hub(&servers, PATIENT).snapshot(MODEL, Download::Off).unwrap_err();
        assert!(
            matches!(&error, Error::Checkpoint(CheckpointError::DamagedCache { path, .. }) if *path == main)
        );
    }
}

#[test]
fn the_limits_for_everybody_are_bounds_too() {
    let limits = Limits::default();
    assert!(limits.patience <= Duration::from_secs(60) && limits.window <= Duration::from_secs(60));
    assert!(limits.window_bytes > 0 && limits.redirects <= 20);
}
