//! How far a sweep has come.

use std::time::{Duration, Instant};

/// How far a sweep has come, in rows of blocks: all variants go through a block together.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// Rows that have gone through their block.
    pub done: usize,
    /// Rows that will have, at the end.
    pub total: usize,
    /// Since the beginning.
    pub elapsed: Duration,
}

impl Progress {
    /// Rows a second; 0 at the very beginning.
    pub fn rate(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 { self.done as f64 / seconds } else { 0.0 }
    }

    /// The time that is left at this rate; `None` before anything is done.
    pub fn time_left(&self) -> Option<Duration> {
        let rate = self.rate();
        (rate > 0.0).then(|| Duration::from_secs_f64((self.total - self.done) as f64 / rate))
    }
}

/// Counts, and reports to whoever asked for it.
pub(super) struct Reporter<'a> {
    done: usize,
    total: usize,
    begun: Instant,
    report: &'a mut dyn FnMut(Progress) -> bool,
}

impl<'a> Reporter<'a> {
    pub fn new(total: usize, report: &'a mut dyn FnMut(Progress) -> bool) -> Self {
        Self { done: 0, total, begun: Instant::now(), report }
    }

    /// Reports `rows` more; whether to go on.
    pub fn add(&mut self, rows: usize) -> bool {
        self.done += rows;
        let (done, total, elapsed) = (self.done, self.total, self.begun.elapsed());
        (self.report)(Progress { done, total, elapsed })
    }
}
