//! Which part of the model a run goes through.

use super::Site;
use crate::config::Config;
use crate::error::{Error, Result};

/// From where to where a run goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    /// The layer at whose `resid_pre` it begins; the embedding otherwise.
    pub from: Option<usize>,
    /// The last site that it passes; all of them otherwise.
    pub until: Option<Site>,
}

impl Way {
    /// Checks that the model has both ends.
    pub fn check(self, config: &Config) -> Result<()> {
        self.from.map_or(Ok(()), |layer| config.check_layer(layer))?;
        self.until.map_or(Ok(()), |site| site.check(config))
    }

    /// Checks that `site` lies on it.
    pub fn check_passes(self, site: Site) -> Result<()> {
        let way = match (self.from.map(Site::resid_pre), self.until) {
            (Some(first), _) if site < first => format!("begins at {first}"),
            (_, Some(last)) if site > last => format!("stops after {last}"),
            _ => return Ok(()),
        };
        Err(Error::NotOnTheWay { way })
    }
}
