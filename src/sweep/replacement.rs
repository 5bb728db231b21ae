//! What takes the place of activations in the sweeps that come with the crate.

use tch::Tensor;

use crate::batch::Batch;
use crate::dispatch::Activations;
use crate::error::{Result, SweepError};
use crate::hook::{Hook, MeanActivations, Selected};
use crate::intervention::{MeanAblation, Scale, Set};

/// What takes the place of an ablated activation.
#[derive(Clone, Copy)]
pub enum Replacement<'a> {
    /// Zero.
    Zero,
    /// Its mean over reference prompts, [over tokens](crate::Run::mean_over_tokens) or
    /// [by position](crate::Run::mean_by_position), as it was taken.
    Mean(&'a MeanActivations),
    /// Its mean by position over reference prompts of the same template, as
    /// [`mean_by_template`](crate::Run::mean_by_template) gives it.
    MeanByTemplate {
        /// The means of each template.
        means: &'a [MeanActivations],
        /// The number of the template of each sequence of the swept batch.
        template_of: &'a [usize],
    },
    /// What it is in another run, over sequences of the same lengths (resample ablation; patching, if the
    /// other run is the clean one).
    Resample(&'a Activations),
}

impl Replacement<'_> {
    /// What takes the place of `selected` in one sequence of `batch`; `narrow` cuts it out of the site's tensor.
    pub(super) fn hook(
        self,
        selected: Selected,
        (batch, sequence): (&Batch, usize),
        narrow: impl Fn(Tensor) -> Result<Tensor>,
    ) -> Result<Hook> {
        let site = selected.site;
        Ok(match self {
            Replacement::Zero => Hook::from_parts(selected, Box::new(Scale::ZERO)),
            Replacement::Mean(means) => {
                Hook::from_parts(selected, Box::new(MeanAblation::new(site, means)?))
            }
            Replacement::MeanByTemplate { means, template_of } => {
                let (given, needed) = (template_of.len(), batch.sequences().len());
                if given != needed {
                    return Err(SweepError::TemplateCount { given, needed }.into());
                }
                let (given, templates) = (template_of[sequence], means.len());
                let no_such = SweepError::NoSuchTemplate { given, sequence, templates };
                let of_template = means.get(given).ok_or(no_such)?;
                Hook::from_parts(selected, Box::new(MeanAblation::new(site, of_template)?))
            }
            Replacement::Resample(other) => {
                let whole = other.get(site, sequence)?;
                let needed = batch.sequences()[sequence].len();
                let given = whole.size()[site.shape().positions() - 1] as usize;
                if given != needed {
                    return Err(SweepError::OtherLength { sequence, given, needed }.into());
                }
                let value = narrow(whole)?;
                Hook::from_parts(selected, Box::new(Set::new(&value)?))
            }
        })
    }
}
