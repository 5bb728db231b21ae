//! Where a lens reads a run.

use crate::batch::Batch;
use crate::config::Config;
use crate::error::{BatchError, LensError, Result};
use crate::hook::{Capture, Positions, Site, SiteShape};

/// The sites and positions that a lens is asked for.
#[derive(Debug, Clone)]
pub(super) struct ReadAt {
    /// In any order; `None` for those that the lens reads unless asked.
    pub sites: Option<Vec<Site>>,
    pub positions: Positions,
}

/// What a lens reads of a run.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// Each once, in execution order.
    pub sites: Vec<Site>,
    /// One for each site.
    pub captures: Vec<Capture>,
    pub positions: ReadPositions,
}

impl ReadAt {
    pub const EVERYWHERE: Self = Self { sites: None, positions: Positions::all() };

    /// Streams: those asked for, or else the one before each block and the one behind the last.
    ///
    /// # Errors
    /// Those of [`places`](Self::places), and [`LensError::Site`] for a site with other axes.
    pub fn streams(&self, config: &Config, batch: &Batch) -> Result<Places> {
        let last = config.n_layers.checked_sub(1).map(Site::resid_post);
        let usual = (0..config.n_layers).map(Site::resid_pre).chain(last);
        let places = self.places(usual, config, batch)?;
        let mut sites = places.sites.iter();
        if let Some(&site) = sites.find(|site| site.shape() != SiteShape::Residual) {
            let allowed = "those whose axes are [batch, pos, d_model]";
            return Err(LensError::Site { site, allowed }.into());
        }
        Ok(places)
    }

    /// The sites asked for, or else the `usual` ones.
    ///
    /// # Errors
    /// [`LensError::NoSites`], and [`SelectionError`](crate::error::SelectionError) for sites and positions that are not
    /// there.
    pub fn places(
        &self,
        usual: impl Iterator<Item = Site>,
        config: &Config,
        batch: &Batch,
    ) -> Result<Places> {
        let mut sites = self.sites.clone().unwrap_or_else(|| usual.collect());
        sites.sort_unstable();
        sites.dedup();
        if sites.is_empty() {
            return Err(LensError::NoSites.into());
        }
        sites.iter().try_for_each(|&site| config.check_site(site))?;
        let positions = ReadPositions::new(&self.positions, batch)?;
        let capture = |&site: &Site| Capture::new(site).positions(self.positions.clone());
        Ok(Places { captures: sites.iter().map(capture).collect(), sites, positions })
    }
}

/// The positions of each sequence that are read.
#[derive(Debug, Clone)]
pub(super) struct ReadPositions(Vec<Vec<usize>>);

impl ReadPositions {
    /// # Errors
    /// [`PositionOutOfRange`](crate::error::SelectionError::PositionOutOfRange).
    pub fn new(positions: &Positions, batch: &Batch) -> Result<Self> {
        let sequences = batch.sequences().iter().enumerate();
        let read = sequences.map(|(sequence, tokens)| positions.indices(tokens.len(), sequence));
        Ok(Self(read.collect::<Result<_>>()?))
    }

    /// Checks that another run of as many sequences is read where this one is.
    ///
    /// # Errors
    /// [`LensError::OtherPositions`].
    pub fn check_same(&self, changed: &Self) -> Result<()> {
        let mut pairs = self.0.iter().zip(&changed.0).enumerate();
        match pairs.find(|(_, (clean, changed))| clean != changed) {
            Some((sequence, (clean, changed))) => {
                let (clean, changed) = (clean.clone(), changed.clone());
                Err(LensError::OtherPositions { sequence, clean, changed }.into())
            }
            None => Ok(()),
        }
    }

    pub fn n_sequences(&self) -> usize {
        self.0.len()
    }

    /// The most that are read of any sequence.
    pub fn most(&self) -> usize {
        self.0.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// # Errors
    /// [`BatchError::NoSuchSequence`].
    pub fn of(&self, sequence: usize) -> Result<&[usize]> {
        let (given, len) = (sequence, self.0.len());
        Ok(self.0.get(given).ok_or(BatchError::NoSuchSequence { given, len })?)
    }
}
