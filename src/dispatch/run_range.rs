//! Which part of the model a run goes through.

use crate::config::Config;
use crate::error::{HookError, Result, RunError, SelectionError};
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

    /// Checks that the model has both ends, in their order.
    pub fn check(self, config: &Config) -> Result<()> {
        if let Some(given) = self.from.filter(|&layer| layer > config.n_layers) {
            let len = config.n_layers + 1;
            return Err(
                SelectionError::IndexOutOfRange { axis: "layer to resume at", given, len }.into()
            );
        }
        let Some(last) = self.until else { return Ok(()) };
        config.check_site(last)?;
        match self.first(config) {
            Some(first) if last < first => Err(RunError::Backwards { first, last }.into()),
            _ => Ok(()),
        }
    }

    /// Checks that `site` lies within.
    pub fn check_passes(self, site: Site, config: &Config) -> Result<()> {
        match (self.first(config), self.until) {
            (Some(first), _) if site < first => Err(HookError::BeforeRun { first }.into()),
            (_, Some(last)) if site > last => Err(HookError::AfterRun { last }.into()),
            _ => Ok(()),
        }
    }

    /// The first site that it passes, if it does not begin at the embedding.
    fn first(self, config: &Config) -> Option<Site> {
        self.from.map(|layer| {
            if layer < config.n_layers { Site::resid_pre(layer) } else { Site::ln_final_scale() }
        })
    }
}
