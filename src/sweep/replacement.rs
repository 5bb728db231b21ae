//! What takes the place of activations in the sweeps that come with the crate.

use tch::Tensor;

use crate::dispatch::Activations;
use crate::error::{Error, Result, SweepError};
use crate::hook::{Hook, Selected, TensorForm};
use crate::intervention::{Scale, Set};
use crate::site::Site;

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
                let mean = mean(site)?;
                let pos = site.shape().positions() - 1;
                let form = TensorForm::read(&mean);
                let unfit = |given: String| {
                    let axes = site.shape().to_string().replace("batch, ", "");
                    let needed = axes.replace("query_pos, ", "").replace("pos, ", "");
                    SweepError::Mean { site, given, needed }
                };
                let form = form.map_err(|given| unfit(given.to_owned()))?;
                if form.size.len() + 2 != site.shape().count() {
                    return Err(unfit(form.to_string()).into());
                }
                let mut size = form.size.clone();
                size.insert(pos, len as i64);
                let mean = mean.f_unsqueeze(pos as i64)?.f_expand(&size[..], false)?;
                let value = narrow(mean).map_err(|error| match error {
                    Error::Selection(_) => unfit(form.to_string()).into(),
                    other => other,
                })?;
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
