//! Means of activations over reference prompts.

use std::collections::BTreeMap;

use super::Run;
use crate::dispatch::Activations;
use crate::error::{CaptureError, Result};
use crate::hook::{Averaging, Capture, MeanActivations, Moments};
use crate::site::{Site, SiteShape};

/// What mean ablation needs; the logits are not computed.
///
/// ```
/// # use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, hook::{At, Site}, intervention::Interventions};
/// # let checkpoint = Checkpoint::bundled()?;
/// # let (model, _) = Gpt2::load(&checkpoint, Precision::F32, tch::Device::Cpu)?;
/// # let tokenizer = checkpoint.tokenizer()?;
/// let reference = Batch::new([tokenizer.encode("She was very")?, tokenizer.encode("He was not")?])?;
/// let means = model.run(&reference).mean_by_position([Site::z(5)])?;
/// let mut hooks = Interventions::new();
/// hooks.mean_ablate(At::z(5).heads([1]), &means)?;
/// # model.run(&reference).hooks(&hooks).execute()?;
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
impl Run<'_> {
    /// Runs the model, and averages each of `sites` over all tokens of all sequences, of any lengths.
    ///
    /// # Errors
    /// Those of [`execute`](Self::execute); as the reason of [`Refused`](CaptureError::Refused),
    /// [`NoMoments`](CaptureError::NoMoments) and [`NoMeanOverTokens`](CaptureError::NoMeanOverTokens) for sites of
    /// attention.
    pub fn mean_over_tokens(
        self,
        sites: impl IntoIterator<Item = Site>,
    ) -> Result<MeanActivations> {
        let sites: Vec<Site> = sites.into_iter().collect();
        for &site in &sites {
            if site.shape() == SiteShape::Attention && !site.is_scores() {
                return Err(refused(site, CaptureError::NoMeanOverTokens));
            }
        }
        let n_sequences = self.batch().sequences().len();
        let capture = |&site: &Site| Capture::new(site).moments();
        let captures: Vec<Capture<Moments>> = sites.iter().map(capture).collect();
        let kept = self.capture(&captures).without_logits().execute()?.activations;
        let mut means = BTreeMap::new();
        for (site, capture) in sites.into_iter().zip(&captures) {
            let mut moments = kept.get(capture, 0)?;
            for sequence in 1..n_sequences {
                moments = moments.merge(&kept.get(capture, sequence)?)?;
            }
            means.insert(site, moments);
        }
        MeanActivations::new(Averaging::OverTokens, means)
    }

    /// Runs the model, and averages each of `sites` over all sequences, which are equally long: a mean for each position,
    /// of attention for each query and key. The activations of the whole batch are in memory meanwhile; means over
    /// several batches [merge](MeanActivations::merge).
    ///
    /// # Errors
    /// Those of [`execute`](Self::execute), [`UnequalLengths`](CaptureError::UnequalLengths), and, as the reason of
    /// [`Refused`](CaptureError::Refused), [`NoMoments`](CaptureError::NoMoments) for attention scores.
    pub fn mean_by_position(
        self,
        sites: impl IntoIterator<Item = Site>,
    ) -> Result<MeanActivations> {
        let all = 0..self.batch().sequences().len();
        let mut means = self.mean_of_each(sites, vec![all.collect()])?;
        // As many as there were sets of sequences.
        Ok(means.swap_remove(0))
    }

    /// Runs the model, and averages each of `sites` by position within the sequences of one template: the means of each
    /// template, by its number. `template_of` has the number of the template of each sequence, from 0; the sequences of
    /// one template are equally long.
    ///
    /// # Errors
    /// Those of [`mean_by_position`](Self::mean_by_position), [`TemplateCount`](CaptureError::TemplateCount) and
    /// [`EmptyTemplate`](CaptureError::EmptyTemplate).
    pub fn mean_by_template(
        self,
        sites: impl IntoIterator<Item = Site>,
        template_of: &[usize],
    ) -> Result<Vec<MeanActivations>> {
        let needed = self.batch().sequences().len();
        if template_of.len() != needed {
            return Err(CaptureError::TemplateCount { given: template_of.len(), needed }.into());
        }
        let last = template_of.iter().copied().max().unwrap_or(0);
        if let Some(template) = (0..=last).find(|template| !template_of.contains(template)) {
            return Err(CaptureError::EmptyTemplate { template }.into());
        }
        let of_template = |template: usize| {
            (0..needed).filter(|&sequence| template_of[sequence] == template).collect()
        };
        self.mean_of_each(sites, (0..=last).map(of_template).collect())
    }

    /// Means by position over each of some sets of sequences.
    fn mean_of_each(
        self,
        sites: impl IntoIterator<Item = Site>,
        sets: Vec<Vec<usize>>,
    ) -> Result<Vec<MeanActivations>> {
        let sites: Vec<Site> = sites.into_iter().collect();
        if let Some(&scores) = sites.iter().find(|site| site.is_scores()) {
            return Err(refused(scores, CaptureError::NoMoments));
        }
        for set in &sets {
            let mut lengths = set.iter().map(|&sequence| self.batch().sequences()[sequence].len());
            let first = lengths.next().unwrap_or(0);
            if let Some(other) = lengths.find(|&other| other != first) {
                return Err(CaptureError::UnequalLengths { first, other }.into());
            }
        }
        let kept = self.capture(&sites).without_logits().execute()?.activations;
        let means = sets.iter().map(|set| {
            let of_site = |&site: &Site| Ok((site, moments(&kept, site, set)?));
            let means = sites.iter().map(of_site).collect::<Result<_>>()?;
            MeanActivations::new(Averaging::ByPosition, means)
        });
        means.collect()
    }
}

fn moments(kept: &Activations, site: Site, sequences: &[usize]) -> Result<Moments> {
    let tensors = sequences.iter().map(|&sequence| kept.get(site, sequence));
    Moments::of_tensors(&tensors.collect::<Result<Vec<_>>>()?)
}

fn refused(site: Site, reason: CaptureError) -> crate::Error {
    let (capture, reason) = (format!("the mean of {site}"), Box::new(reason.into()));
    CaptureError::Refused { site, capture, reason }.into()
}
