//! What activations are on average, over reference prompts.

use std::collections::BTreeMap;
use std::fmt;

use super::Moments;
use crate::error::{AnalysisError, CaptureError, Result};
use crate::site::Site;

/// The mean of sites over reference prompts, in f64: what mean ablation puts in the place of activations.
///
/// A [run](crate::Run::mean_by_position) over the reference prompts makes them, and its name says over what:
/// `mean_over_tokens`, `mean_by_position`, or `mean_by_template`. They fit runs of any number format and on any device.
#[derive(Debug, Clone)]
pub struct MeanActivations {
    averaging: Averaging,
    sites: BTreeMap<Site, Moments>,
}

/// Over what a mean is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Averaging {
    /// All tokens of all sequences: the same mean at every position.
    OverTokens,
    /// All sequences, a mean for each position.
    ByPosition,
}

impl fmt::Display for Averaging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Averaging::OverTokens => "over tokens",
            Averaging::ByPosition => "by position",
        })
    }
}

impl MeanActivations {
    /// Means over tokens, of [moments](super::Capture::moments) that were captured and merged by hand: over some
    /// positions alone, for instance.
    ///
    /// # Errors
    /// [`TooFewValues`](AnalysisError::TooFewValues) for moments of nothing.
    pub fn over_tokens(moments: impl IntoIterator<Item = (Site, Moments)>) -> Result<Self> {
        Self::new(Averaging::OverTokens, moments.into_iter().collect())
    }

    pub(crate) fn new(averaging: Averaging, sites: BTreeMap<Site, Moments>) -> Result<Self> {
        if sites.values().any(|moments| moments.count() == 0) {
            return Err(
                AnalysisError::TooFewValues { statistic: "mean", given: 0, needed: 1 }.into()
            );
        }
        Ok(Self { averaging, sites })
    }

    /// Over what the means are taken.
    pub fn averaging(&self) -> Averaging {
        self.averaging
    }

    /// The averaged sites, in execution order.
    pub fn sites(&self) -> impl Iterator<Item = Site> {
        self.sites.keys().copied()
    }

    /// Mean and variance of one site.
    ///
    /// # Shapes
    /// - over tokens: the [axes](Site::shape) of the site without `batch` and `pos`
    /// - by position: without `batch`
    ///
    /// # Errors
    /// [`CaptureError::NoMean`].
    pub fn of(&self, site: Site) -> Result<&Moments> {
        let averaged = || self.listed();
        let moments = self.sites.get(&site);
        moments.ok_or_else(|| CaptureError::NoMean { site, averaged: averaged() }.into())
    }

    /// The means over both together, for reference prompts that do not fit into one batch.
    ///
    /// # Errors
    /// [`CaptureError::OtherMeans`] unless both are over the same of the same sites, and
    /// [`CaptureError::MomentsShape`] for sequences of other lengths, by position.
    pub fn merge(&self, other: &Self) -> Result<Self> {
        if self.averaging != other.averaging || !self.sites().eq(other.sites()) {
            let [left, right] = [self, other].map(|means| means.to_string());
            return Err(CaptureError::OtherMeans { left, right }.into());
        }
        let pairs = self.sites.iter().zip(other.sites.values());
        let merged = pairs.map(|((&site, own), other)| Ok((site, own.merge(other)?)));
        Ok(Self { averaging: self.averaging, sites: merged.collect::<Result<_>>()? })
    }

    fn listed(&self) -> String {
        self.sites().map(|site| site.to_string()).collect::<Vec<_>>().join(", ")
    }
}

/// `by position of blocks.3.attn.hook_z`.
impl fmt::Display for MeanActivations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.averaging, self.listed())
    }
}
