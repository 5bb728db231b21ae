//! Models of the Hugging Face hub, through its standard cache.
//!
//! Nothing that a hub sends is trusted: [`names`] and [`content`] are what may become a path, [`client`]
//! bounds what is listened to, and [`file`] lets nothing into the cache whose hash is not the one that
//! the hub named.

mod answer;
mod cache;
mod client;
mod content;
mod environment;
mod file;
mod names;
mod origin;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use cache::Repository;
use client::{Client, Limits, Listing};
use content::ContentHash;
use file::Transfer;
use names::ModelName;

use super::directory::{
    self, ADDED_TOKENS, CONFIG, MERGES, SPECIAL_TOKENS, TOKENIZER, TOKENIZER_CONFIG, VOCAB,
    WEIGHTS, WEIGHTS_INDEX,
};
use super::source::{Download, DownloadProgress};
use crate::error::{CheckpointError, Error, Result, shown, shown_reason};
use crate::files::regular_file::{self, RegularFile};

/// The directory of the cache that holds all files of `model`, downloaded where needed.
pub(super) fn snapshot(model: &str, download: Download<'_>) -> Result<PathBuf> {
    Hub::of_the_environment().snapshot(model, download)
}

/// A hub, and the cache of it.
struct Hub {
    cache: PathBuf,
    endpoint: String,
    token: Option<String>,
    is_offline: bool,
    limits: Limits,
}

impl Hub {
    fn of_the_environment() -> Self {
        Self {
            cache: environment::cache(),
            endpoint: environment::endpoint(),
            token: environment::token(),
            is_offline: environment::is_offline(),
            limits: Limits::default(),
        }
    }

    fn snapshot(&self, model: &str, download: Download<'_>) -> Result<PathBuf> {
        for name in [model, full_name(model)] {
            let repository = Repository::new(&self.cache, &ModelName::parse(name)?);
            if let Some(snapshot) = cached_snapshot(&repository)? {
                return Ok(snapshot);
            }
        }
        let not_cached = |why| {
            Err(CheckpointError::NotCached {
                model: model.to_owned(),
                cache: self.cache.clone(),
                why,
            }
            .into())
        };
        let mut ignore = |_: DownloadProgress<'_>| {};
        let report: &mut dyn FnMut(DownloadProgress<'_>) = match download {
            Download::Off => return not_cached("asked for"),
            _ if self.is_offline => return not_cached("HF_HUB_OFFLINE is set"),
            Download::Quietly => &mut ignore,
            Download::Reporting(report) => report,
        };
        let model = ModelName::parse(full_name(model))?;
        let repository = Repository::new(&self.cache, &model);
        Fetch { hub: self, model, repository, report }.snapshot()
    }
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

/// The snapshot directory of a model, if the cache holds every file that loading needs.
fn cached_snapshot(repository: &Repository) -> Result<Option<PathBuf>> {
    let Some(commit) = repository.main()? else { return Ok(None) };
    let snapshot = repository.snapshot(&commit);
    let has = |file: &str| snapshot.join(file).exists();
    let tokenizer = has(TOKENIZER) || (has(VOCAB) && has(MERGES));
    let weights = has(WEIGHTS)
        || (has(WEIGHTS_INDEX) && {
            let index = snapshot.join(WEIGHTS_INDEX);
            let shards = read_small(&index)
                .and_then(|content| directory::shards(&content, &index))
                .map_err(|error| blame(&snapshot, error))?;
            shards.iter().all(|shard| has(shard))
        });
    Ok((has(CONFIG) && tokenizer && weights).then_some(snapshot))
}

/// The error that a snapshot cannot be loaded with, or, if a file of it is not what it was when it came,
/// that.
pub(super) fn blame(snapshot: &Path, error: Error) -> Error {
    let small = [
        CONFIG,
        TOKENIZER,
        VOCAB,
        MERGES,
        ADDED_TOKENS,
        TOKENIZER_CONFIG,
        SPECIAL_TOKENS,
        WEIGHTS_INDEX,
    ]
    .map(|file| snapshot.join(file));
    // Gigabytes are read again only where they are under suspicion.
    let weights = match &error {
        Error::Checkpoint(CheckpointError::Safetensors { path, .. }) => Some(path.clone()),
        _ => None,
    };
    small.into_iter().chain(weights).find_map(|file| damage(&file)).unwrap_or(error)
}

/// What is wrong with a file of the cache, if it has another hash than its name promises.
fn damage(file: &Path) -> Option<Error> {
    // A copy, as some systems hold it instead of a link, has no such name.
    let path = file.parent()?.join(file.read_link().ok()?).canonicalize().ok()?;
    let promised = ContentHash::parse(path.file_name()?.to_str()?)?;
    // Opening a pipe waits for ever.
    if !path.metadata().ok()?.is_file() {
        return None;
    }
    let found = promised.of_file(&path).ok()?;
    let reason = format!("its content has the {found}");
    (found != promised).then(|| CheckpointError::DamagedCache { path, reason }.into())
}

/// Why a file could not be had: the hub's doing, or this machine's.
enum Failure {
    Hub(String),
    Here(Error),
}

impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Self::Hub(reason)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Here(error)
    }
}

/// The download of one model, at the commit that the hub calls `main` when it begins.
struct Fetch<'a> {
    hub: &'a Hub,
    model: ModelName,
    repository: Repository,
    report: &'a mut dyn FnMut(DownloadProgress<'_>),
}

impl Fetch<'_> {
    /// Downloads every file that loading needs, and only then lets `main` point at them: an
    /// interrupted download leaves nothing that would be found in the cache.
    fn snapshot(mut self) -> Result<PathBuf> {
        let listing = |failure| self.error("the list of files", failure);
        let Hub { endpoint, token, limits, .. } = self.hub;
        let client = Client::new(endpoint, token.clone(), *limits)
            .map_err(|reason| listing(Failure::Hub(reason)))?;
        let files = client.list(&self.model).map_err(listing)?;

        self.file(&client, &files, CONFIG)?;
        if files.has(TOKENIZER) {
            self.file(&client, &files, TOKENIZER)?;
        } else {
            let settings = [ADDED_TOKENS, TOKENIZER_CONFIG, SPECIAL_TOKENS];
            let settings = settings.into_iter().filter(|file| files.has(file));
            for file in [VOCAB, MERGES].into_iter().chain(settings) {
                self.file(&client, &files, file)?;
            }
        }
        if files.has(WEIGHTS) || !files.has(WEIGHTS_INDEX) {
            self.file(&client, &files, WEIGHTS)?;
        } else {
            let index = self.file(&client, &files, WEIGHTS_INDEX)?;
            for shard in self.shards(&index)? {
                self.file(&client, &files, &shard)?;
            }
        }
        self.repository.point_main_at(&files.commit)?;
        Ok(self.repository.snapshot(&files.commit))
    }

    /// The shards that an index of the hub's names.
    fn shards(&self, index: &Path) -> Result<Vec<String>> {
        let refused = |reason| self.error(WEIGHTS_INDEX, Failure::Hub(reason));
        let shards = directory::shards(&read_small(index)?, index)
            .map_err(|error| refused(format!("it names no shards: {}", chain(&error))))?;
        if let Some(shard) = shards.iter().find(|shard| !names::is_plain(shard)) {
            let shard = shown(shard);
            return Err(refused(format!("the shard `{shard}` is not the plain name of a file")));
        }
        Ok(shards.into_iter().collect())
    }

    /// One file, from the cache or from the hub, checked against the hash that the hub names now.
    fn file(&mut self, client: &Client, files: &Listing, file: &str) -> Result<PathBuf> {
        let path = format!("/{}/resolve/{}/{file}", self.model, files.commit);
        let announced = client
            .look(&path, &files.commit)
            .map_err(|reason| self.error(file, Failure::Hub(reason)))?;
        let report = &mut self.report;
        let transfer = Transfer {
            client,
            repository: &self.repository,
            limits: self.hub.limits,
            path: &path,
            announced: &announced,
            allowed: allowed(file),
            report: &mut |bytes_done, bytes_total| {
                let (bytes_done, bytes_total) = (bytes_done as usize, bytes_total as usize);
                report(DownloadProgress { file, bytes_done, bytes_total });
            },
        }
        .run();
        let _lock = transfer.map_err(|failure| self.error(file, failure))?;
        self.repository.link(&files.commit, file, &announced.hash)
    }

    fn error(&self, file: &str, failure: Failure) -> Error {
        match failure {
            Failure::Here(error) => error,
            Failure::Hub(reason) => Error::Checkpoint(CheckpointError::Hub {
                model: self.model.to_string(),
                file: file.to_owned(),
                reason: shown_reason(&reason),
            }),
        }
    }
}

/// The most bytes that a file may have: far more than any GPT-2 needs.
fn allowed(file: &str) -> u64 {
    match file {
        CONFIG | TOKENIZER_CONFIG | SPECIAL_TOKENS | WEIGHTS_INDEX => regular_file::SMALL,
        TOKENIZER | VOCAB | MERGES | ADDED_TOKENS => regular_file::LARGE,
        _ => 1 << 40,
    }
}

fn read_small(path: &Path) -> Result<Vec<u8>> {
    RegularFile::open(path)?.content(regular_file::SMALL)
}

fn chain(error: &dyn std::error::Error) -> String {
    error.source().map_or(error.to_string(), |cause| format!("{error}: {}", chain(cause)))
}
