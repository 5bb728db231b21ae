//! What takes the place of activations in the sweeps that come with the crate.

use tch::Tensor;

use crate::dispatch::Activations;
use crate::error::{Result, SweepError};
use crate::hook::{Hook, Selected};
use crate::intervention::{Scale, Set};
use crate::site::{Site, SiteShape};

/// What takes the place of an ablated activation.
#[derive(Clone, Copy)]
pub enum Replacement<'a> {
    /// Zero.
    Zero,
    /// Its mean over a reference set, as captured [moments](crate::hook::Moments) give it for a site: the
    /// site's tensor without `pos`, of the run's kind.
    Mean(&'a dyn Fn(Site) -> Result<Tensor>),
    /// What it is in another run, over sequences of the same lengths (resample ablation; patching, if the
    /// other run is the clean one).
    Resample(&'a Activations),
}

impl Replacement<'_> {
    /// What takes the place of `selected` in one sequence, of `len` tokens; `narrow` cuts it out of the
    /// site's tensor.
    pub(super) fn hook(
        self,
        selected: Selected,
        (sequence, len): (usize, usize),
        narrow: impl Fn(Tensor) -> Result<Tensor>,
    ) -> Result<Hook> {
        let site = selected.site;
        Ok(match self {
            Replacement::Zero => Hook::from_parts(selected, Box::new(Scale::ZERO)),
            Replacement::Mean(mean) => {
                let pos = i64::from(site.shape() == SiteShape::Attention);
                let mean = mean(site)?.f_unsqueeze(pos)?;
                let mut size = mean.size();
                size[pos as usize] = len as i64;
                let value = narrow(mean.f_expand(&size[..], false)?)?;
                Hook::from_parts(selected, Box::new(Set::new(&value)?))
            }
            Replacement::Resample(other) => {
                let whole = other.get(site, sequence)?;
                let other_len = whole.size()[site.shape().positions() - 1] as usize;
                if other_len != len {
                    return Err(SweepError::OtherLength {
                        sequence,
                        given: other_len,
                        needed: len,
                    }
                    .into());
                }
                let value = narrow(whole)?;
                Hook::from_parts(selected, Box::new(Set::new(&value)?))
            }
        })
    }
}
