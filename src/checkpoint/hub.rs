//! Models of the Hugging Face hub, through its standard cache.

use std::env;
use std::path::{Path, PathBuf};

use hf_hub::api::Progress;
use hf_hub::api::sync::{Api, ApiBuilder, ApiError};
use hf_hub::{Cache, Repo, RepoType};

use super::directory::{self, CONFIG, MERGES, TOKENIZER, VOCAB, WEIGHTS, WEIGHTS_INDEX};
use super::source::{Download, DownloadProgress};
use crate::error::{CheckpointError, Error, FileError, Result};

/// The directory of the cache that holds all files of `model`, downloaded where needed.
pub(super) fn snapshot(model: &str, download: Download<'_>) -> Result<PathBuf> {
    let cache = Cache::new(cache_directory());
    for name in [model, full_name(model)] {
        if let Some(snapshot) = cached_snapshot(&cache, name)? {
            return Ok(snapshot);
        }
    }
    let not_cached = |why| {
        Err(CheckpointError::NotCached {
            model: model.to_owned(),
            cache: cache.path().clone(),
            why,
        }
        .into())
    };
    let mut ignore = |_: DownloadProgress<'_>| {};
    let report: &mut dyn FnMut(DownloadProgress<'_>) = match download {
        Download::Off => return not_cached("asked for"),
        _ if offline() => return not_cached("HF_HUB_OFFLINE is set"),
        Download::Quietly => &mut ignore,
        Download::Reporting(report) => report,
    };
    Fetch::new(full_name(model), cache.clone(), report)?.snapshot()
}

/// The models that the hub first kept under a bare name have moved into organisations.
fn full_name(model: &str) -> &str {
    match model {
        "gpt2" => "openai-community/gpt2",
        "gpt2-medium" => "openai-community/gpt2-medium",
        "gpt2-large" => "openai-community/gpt2-large",
        "gpt2-xl" => "openai-community/gpt2-xl",
        "distilgpt2" => "distilbert/distilgpt2",
        _ => model,
    }
}

/// `HF_HUB_CACHE`, or `hub` in `HF_HOME`, or in the user's cache directory.
fn cache_directory() -> PathBuf {
    variable("HF_HUB_CACHE").map_or_else(|| home().join("hub"), PathBuf::from)
}

fn home() -> PathBuf {
    let user_cache = || {
        variable("XDG_CACHE_HOME")
            .map_or_else(|| env::home_dir().unwrap_or_default().join(".cache"), PathBuf::from)
    };
    variable("HF_HOME").map_or_else(|| user_cache().join("huggingface"), PathBuf::from)
}

fn token() -> Option<String> {
    let saved = || {
        let path = variable("HF_TOKEN_PATH").map_or_else(|| home().join("token"), PathBuf::from);
        std::fs::read_to_string(path).ok()
    };
    let token = variable("HF_TOKEN").or_else(saved)?.trim().to_owned();
    (!token.is_empty()).then_some(token)
}

fn offline() -> bool {
    variable("HF_HUB_OFFLINE")
        .is_some_and(|value| matches!(&*value.to_ascii_lowercase(), "1" | "true" | "yes" | "on"))
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The snapshot directory of `model`, if the cache holds every file that loading needs.
fn cached_snapshot(cache: &Cache, model: &str) -> Result<Option<PathBuf>> {
    let repo = cache.repo(Repo::new(model.to_owned(), RepoType::Model));
    let Some(config) = repo.get(CONFIG) else { return Ok(None) };
    let snapshot = config.parent().unwrap_or(Path::new("")).to_owned();
    let has = |file: &str| snapshot.join(file).exists();
    let tokenizer = has(TOKENIZER) || (has(VOCAB) && has(MERGES));
    let weights = has(WEIGHTS)
        || (has(WEIGHTS_INDEX) && {
            let index = snapshot.join(WEIGHTS_INDEX);
            directory::shards(&directory::read(&index)?, &index)?.iter().all(|shard| has(shard))
        });
    Ok((tokenizer && weights).then_some(snapshot))
}

/// The download of one model, at the commit that the hub calls `main` when it begins.
struct Fetch<'a> {
    model: &'a str,
    cache: Cache,
    api: Api,
    report: &'a mut dyn FnMut(DownloadProgress<'_>),
}

impl<'a> Fetch<'a> {
    fn new(
        model: &'a str,
        cache: Cache,
        report: &'a mut dyn FnMut(DownloadProgress<'_>),
    ) -> Result<Self> {
        let mut builder = ApiBuilder::from_cache(cache.clone())
            .with_token(token())
            .with_progress(false)
            .with_user_agent(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
        if let Some(endpoint) = variable("HF_ENDPOINT") {
            builder = builder.with_endpoint(endpoint.trim_end_matches('/').to_owned());
        }
        let api = builder.build().map_err(|error| failure(model, CONFIG, error))?;
        Ok(Self { model, cache, api, report })
    }

    /// Downloads every file that loading needs, and only then lets `main` point at them: an
    /// interrupted download leaves nothing that would be found in the cache.
    fn snapshot(mut self) -> Result<PathBuf> {
        let main = Repo::new(self.model.to_owned(), RepoType::Model);
        let info = self.api.repo(main.clone()).info();
        let info = info.map_err(|error| failure(self.model, "the list of files", error))?;
        let has = |file: &str| info.siblings.iter().any(|sibling| sibling.rfilename == file);
        let commit = Repo::with_revision(self.model.to_owned(), RepoType::Model, info.sha.clone());

        let config = self.file(&commit, CONFIG)?;
        let tokenizer: &[&str] = if has(TOKENIZER) { &[TOKENIZER] } else { &[VOCAB, MERGES] };
        for file in tokenizer {
            self.file(&commit, file)?;
        }
        if has(WEIGHTS) || !has(WEIGHTS_INDEX) {
            self.file(&commit, WEIGHTS)?;
        } else {
            let index = self.file(&commit, WEIGHTS_INDEX)?;
            for shard in directory::shards(&directory::read(&index)?, &index)? {
                self.file(&commit, &shard)?;
            }
        }
        self.cache.repo(main).create_ref(&info.sha).map_err(|source| {
            Error::File(FileError::Write { path: self.cache.path().clone(), source })
        })?;
        Ok(config.parent().unwrap_or(Path::new("")).to_owned())
    }

    /// One file, from the cache or from the hub.
    fn file(&mut self, repo: &Repo, file: &str) -> Result<PathBuf> {
        let cached = self.cache.repo(repo.clone());
        if let Some(path) = cached.get(file) {
            return Ok(path);
        }
        let remote = self.api.repo(repo.clone());
        let failed = |error| failure(self.model, file, error);
        let expected = self.api.metadata(&remote.url(file)).map_err(failed)?;
        let blob = cached.blob_path(expected.etag());
        // The client resumes a partial file by asking for the bytes after it; one that is already
        // as long as the whole cannot be resumed and may not be trusted.
        let partial = blob.with_extension("part");
        if size(&partial).is_some_and(|size| size >= expected.size() as u64) {
            remove(&partial)?;
        }
        let mut reporter = Reporter { report: self.report, file, bytes_done: 0, bytes_total: 0 };
        let path = remote.download_with_progress(file, &mut reporter).map_err(failed)?;
        // A server that ignores the range of a resumed download sends the whole file again.
        let found = size(&path);
        if found != Some(expected.size() as u64) {
            remove(&path)?;
            remove(&blob)?;
            return Err(CheckpointError::Hub {
                model: self.model.to_owned(),
                file: file.to_owned(),
                reason: format!("{} bytes announced, {found:?} received", expected.size()),
            }
            .into());
        }
        Ok(path)
    }
}

/// Passes the client's progress on.
struct Reporter<'a> {
    report: &'a mut dyn FnMut(DownloadProgress<'_>),
    file: &'a str,
    bytes_done: usize,
    bytes_total: usize,
}

impl Progress for &mut Reporter<'_> {
    fn init(&mut self, size: usize, _file: &str) {
        self.bytes_done = 0;
        self.bytes_total = size;
    }

    fn update(&mut self, size: usize) {
        self.bytes_done += size;
        let Reporter { file, bytes_done, bytes_total, .. } = **self;
        (self.report)(DownloadProgress { file, bytes_done, bytes_total });
    }

    fn finish(&mut self) {}
}

fn size(path: &Path) -> Option<u64> {
    Some(std::fs::metadata(path).ok()?.len())
}

fn remove(path: &Path) -> Result<()> {
    std::fs::remove_file(path)
        .map_err(|source| Error::File(FileError::Write { path: path.to_owned(), source }))
}

fn failure(model: &str, file: &str, error: ApiError) -> Error {
    Error::Checkpoint(CheckpointError::Hub {
        model: model.to_owned(),
        file: file.to_owned(),
        reason: error.to_string().replace('\n', " "),
    })
}
