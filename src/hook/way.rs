//! Which part of the model a run goes through.

use super::Site;
use crate::config::Config;
use crate::error::{Error, Result};

/// From where to where a run goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    /// The layer at whose `resid_pre` it begins, or the number of layers if it begins behind the last one; the
    /// embedding otherwise.
    pub from: Option<usize>,
    /// The last site that it passes; all of them otherwise.
    pub until: Option<Site>,
}

impl Way {
    /// Checks that the model has both ends.
    pub fn check(self, config: &Config) -> Result<()> {
        if let Some(given) = self.from
            && given > config.n_layers
        {
            let len = config.n_layers + 1;
            return Err(Error::IndexOutOfRange { axis: "layer to resume at", given, len });
        }
        self.until.map_or(Ok(()), |site| site.check(config))
    }

    /// Checks that `site` lies on it.
    pub fn check_passes(self, site: Site, config: &Config) -> Result<()> {
        let way = match (self.from, self.until) {
            // Every site of the blocks is before the `resid_pre` of a block behind the last one.
            (Some(layer), _) if site < Site::resid_pre(layer) => match layer.checked_sub(1) {
                Some(last) if layer == config.n_layers => {
                    format!("begins behind {}", Site::resid_post(last))
                }
                _ => format!("begins at {}", Site::resid_pre(layer)),
            },
            (_, Some(last)) if site > last => format!("stops after {last}"),
            _ => return Ok(()),
        };
        Err(Error::NotOnTheWay { way })
    }
}
