//! Which part of the model a run goes through.

use crate::config::Config;
use crate::error::{HookError, Result};
use crate::site::Site;

/// From where to where a run goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunRange {
    /// The layer at whose `resid_pre` it begins, or the number of layers for what follows the last one; the
    /// embedding otherwise.
    pub from: Option<usize>,
    /// The last site that it passes; all of them otherwise.
    pub until: Option<Site>,
}

impl RunRange {
    /// The whole model.
    pub const WHOLE: Self = Self { from: None, until: None };

    /// Checks that the model has both ends.
    pub fn check(self, config: &Config) -> Result<()> {
        if let Some(layer) = self.from.filter(|&layer| layer != config.n_layers) {
            config.check_layer(layer)?;
        }
        self.until.map_or(Ok(()), |site| config.check_site(site))
    }

    /// Checks that `site` lies within.
    pub fn check_passes(self, site: Site, config: &Config) -> Result<()> {
        let first = self.from.map(|layer| {
            if layer < config.n_layers { Site::resid_pre(layer) } else { Site::ln_final_scale() }
        });
        match (first, self.until) {
            (Some(first), _) if site < first => Err(HookError::BeforeRun { first }.into()),
            (_, Some(last)) if site > last => Err(HookError::AfterRun { last }.into()),
            _ => Ok(()),
        }
    }
}
