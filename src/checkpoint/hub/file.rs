//! One file: on its way from the hub to its blob.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use ureq::http::StatusCode;
use ureq::http::header::CONTENT_LENGTH;

use super::Failure;
use super::answer::{expect, expect_rest, number, too_long};
use super::cache::{Repository, not_written};
use super::client::{Announced, Client, Limits};
use crate::error::{Error, FileError, Result};

/// How often a file is looked at that another process downloads.
const PAUSE: Duration = Duration::from_millis(50);

/// The download of one file.
pub struct Transfer<'a> {
    pub client: &'a Client,
    pub repository: &'a Repository,
    pub limits: Limits,
    /// Where the hub has it.
    pub path: &'a str,
    pub announced: &'a Announced,
    /// The most bytes that such a file may have.
    pub allowed: u64,
    /// Is told how many bytes are there, of how many.
    pub report: &'a mut dyn FnMut(u64, u64),
}

impl Transfer<'_> {
    /// Sees to it that the blob is there and has the content that its name promises. What comes back is
    /// the right to write that blob.
    pub fn run(&mut self) -> Result<File, Failure> {
        if let Some(size) = self.announced.size.filter(|&size| size > self.allowed) {
            return Err(too_long(size, self.allowed).into());
        }
        let lock = self.lock()?;
        let hash = &self.announced.hash;
        let blob = self.repository.blob(hash);
        if self.is_whole(&blob)? {
            return Ok(lock);
        }
        let incomplete = self.repository.incomplete(hash)?;
        let mut resumed = self.receive(&incomplete)?;
        while !self.is_whole(&incomplete)? {
            let found = hash.of_file(&incomplete).map_err(not_read(&incomplete))?;
            remove(&incomplete)?;
            // The beginning may have been anybody's. What comes from the hub in one piece is the hub's.
            if !resumed {
                return Err(format!("its content has the {found}, the hub says {hash}").into());
            }
            resumed = self.receive(&incomplete)?;
        }
        fs::rename(&incomplete, &blob).map_err(not_written(&blob))?;
        Ok(lock)
    }

    /// Waits for another process that downloads the same.
    fn lock(&mut self) -> Result<File, Failure> {
        let hash = &self.announced.hash;
        let (mut since, mut before) = (Instant::now(), None);
        loop {
            if let Some(lock) = self.repository.try_lock(hash)? {
                return Ok(lock);
            }
            let bytes = size(&self.repository.incomplete(hash)?);
            if bytes != before {
                (since, before) = (Instant::now(), bytes);
                self.progress(bytes.unwrap_or(0));
            } else if since.elapsed() > self.limits.patience_with_others {
                let lock = self.repository.lock_path(hash);
                return Err(format!(
                    "another process that holds {} gets no further with it",
                    lock.display()
                )
                .into());
            }
            thread::sleep(PAUSE);
        }
    }

    fn is_whole(&self, path: &Path) -> Result<bool> {
        let expected = self.announced.size;
        if size(path).is_none_or(|size| expected.is_some_and(|expected| expected != size)) {
            return Ok(false);
        }
        let found = self.announced.hash.of_file(path).map_err(not_read(path))?;
        Ok(found == self.announced.hash)
    }

    /// Fetches what is missing, and says whether something was there before.
    fn receive(&mut self, incomplete: &Path) -> Result<bool, Failure> {
        let expected = self.announced.size;
        let mut from = size(incomplete).unwrap_or(0);
        if from > expected.unwrap_or(self.allowed) {
            remove(incomplete)?;
            from = 0;
        }
        if Some(from) == expected && from > 0 {
            return Ok(true);
        }
        let mut response = self.client.get(self.path, from, expected)?;
        if from > 0 && response.status() != StatusCode::PARTIAL_CONTENT {
            if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
                response = self.client.get(self.path, 0, expected)?;
            }
            expect(&response, StatusCode::OK)?;
            remove(incomplete)?;
            from = 0;
        } else if from > 0 {
            expect_rest(&response, from, expected)?;
        } else {
            expect(&response, StatusCode::OK)?;
        }
        let length = number(&response, CONTENT_LENGTH)?;
        let size = match (expected, length.and_then(|length| length.checked_add(from))) {
            (Some(expected), Some(coming)) if expected != coming => {
                return Err(
                    format!("{coming} bytes are sent of the {expected} bytes announced").into()
                );
            }
            (None, Some(coming)) if coming > self.allowed => {
                return Err(too_long(coming, self.allowed).into());
            }
            (expected, coming) => expected.or(coming),
        };

        // Never truncated and never appended to: should a file system grant one lock to two processes,
        // they write the same bytes to the same places.
        let write = not_written(incomplete);
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(incomplete)
            .map_err(&write)?;
        file.seek(SeekFrom::Start(from)).map_err(&write)?;
        let mut there = from;
        self.progress(there);
        let client = self.client;
        // One byte more than is allowed tells too long from just long enough.
        let most = size.map_or(self.allowed + 1, |size| size) - from;
        client.receive(response, most, |piece| {
            file.write_all(piece).map_err(&write)?;
            there += piece.len() as u64;
            self.progress(there);
            Ok(())
        })?;
        file.sync_all().map_err(&write)?;
        drop(file);
        match size {
            Some(size) if there < size => {
                Err(format!("it ends after {there} of {size} bytes").into())
            }
            None if there > self.allowed => {
                remove(incomplete)?;
                Err(format!("more than the {} bytes that are allowed", self.allowed).into())
            }
            _ => Ok(from > 0),
        }
    }

    fn progress(&mut self, there: u64) {
        (self.report)(there, self.announced.size.unwrap_or(there));
    }
}

fn size(path: &Path) -> Option<u64> {
    Some(fs::metadata(path).ok()?.len())
}

fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(not_written(path))
}

fn not_read(path: &Path) -> impl Fn(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| FileError::Read { path: path.clone(), source }.into()
}
