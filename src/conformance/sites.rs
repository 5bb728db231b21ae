//! Identities at each site.

use tch::Tensor;

use super::difference::{largest_difference, of_all_logits};
use super::identity::{Bound, Identity};
use super::subject::Subject;
use super::tally::Tally;
use crate::error::Result;
use crate::hook::{At, Edit, Hook, Part};
use crate::intervention::Interventions;
use crate::model::RunOutput;
use crate::site::Site;

/// The identities of single sites, under way.
pub(super) struct SiteChecks {
    one_at_site: Tally,
    one_in_logits: Tally,
    own_at_site: Tally,
    own_in_logits: Tally,
    sensitive: Tally,
    captured: Tally,
    stopped: Tally,
}

impl SiteChecks {
    pub fn new() -> Self {
        Self {
            one_at_site: Tally::new("scaling by 1 changes nothing at its site"),
            one_in_logits: Tally::new("scaling by 1 leaves the logits as they are"),
            own_at_site: Tally::new("patching in what was there changes nothing at its site"),
            own_in_logits: Tally::new("patching in what was there leaves the logits as they are"),
            sensitive: Tally::new("an edit at any site changes the logits"),
            captured: Tally::new("capturing every site changes no bit of the logits"),
            stopped: Tally::new("a run that stops at a site has the same activation there"),
        }
    }

    pub fn finish(self) -> Vec<Identity> {
        let Self { one_at_site, one_in_logits, own_at_site, own_in_logits, .. } = self;
        let Self { sensitive, captured, stopped, .. } = self;
        let of_edits = [one_at_site, one_in_logits, own_at_site, own_in_logits, sensitive];
        of_edits.into_iter().chain([captured, stopped]).map(Tally::finish).collect()
    }

    /// Checks the sites before the blocks, or those of a block; only these are captured at once.
    pub fn check(&mut self, subject: &Subject<'_>, layer: Option<usize>) -> Result<()> {
        let sites = subject.sites(layer);
        let place = match layer {
            Some(layer) => format!("block {layer}"),
            None => "before the blocks".to_owned(),
        };
        let plain = subject.run_from(layer).execute()?;
        let whole = subject.run_from(layer).capture(sites.iter().copied()).execute()?;
        let difference = of_all_logits(&whole.logits, &plain.logits, subject.n_sequences())?;
        self.captured.book(difference, Bound::AtMost(0.0), &place);
        // Forks and the layer norm that they go round cannot be edited in one run.
        let (forks, others): (Vec<Site>, Vec<Site>) =
            sites.iter().partition(|&&site| is_fork(site));
        for at_once in [forks, others].iter().filter(|sites| !sites.is_empty()) {
            self.scale_by_one(subject, layer, at_once, &place)?;
        }
        for site in sites {
            self.stop(subject, layer, site, &whole)?;
            self.patch(subject, layer, site, &whole)?;
        }
        Ok(())
    }

    fn scale_by_one(
        &mut self,
        subject: &Subject<'_>,
        layer: Option<usize>,
        sites: &[Site],
        place: &str,
    ) -> Result<()> {
        let mut hooks = Interventions::new();
        for &site in sites {
            hooks.scale(At::site(site), 1.0)?;
        }
        let output = subject.run_from(layer).hooks(&hooks).execute()?;
        for entry in output.ledger.entries() {
            self.one_at_site.book(entry.change_l2, Bound::AtMost(0.0), entry.site);
        }
        // An edit leads off the fused path, and sums are then rounded in another order.
        subject.compare(&mut self.one_in_logits, &output.logits, &subject.clean, place)
    }

    fn stop(
        &mut self,
        subject: &Subject<'_>,
        layer: Option<usize>,
        site: Site,
        whole: &RunOutput,
    ) -> Result<()> {
        let stopped = subject.run_from(layer).capture([site]).stop_after(site).execute()?;
        for sequence in 0..subject.n_sequences() {
            let of = |output: &RunOutput| output.activations.get(site, sequence);
            let difference = largest_difference(&of(&stopped)?, &of(whole)?)?;
            let at = format!("{site}, sequence {sequence}");
            self.stopped.book(difference, Bound::AtMost(0.0), at);
        }
        Ok(())
    }

    /// Patches in what was there, and something else.
    fn patch(
        &mut self,
        subject: &Subject<'_>,
        layer: Option<usize>,
        site: Site,
        whole: &RunOutput,
    ) -> Result<()> {
        let (mut own, mut other) = (Interventions::new(), Interventions::new());
        for sequence in 0..subject.n_sequences() {
            let there = whole.activations.get(site, sequence)?;
            own.set(At::site(site).sequences([sequence]), &there)?;
        }
        other.add(Hook::new(At::site(site), Wave));
        let run = |hooks| subject.run_from(layer).hooks(hooks).execute();
        let (own, other) = (run(&own)?, run(&other)?);
        for entry in own.ledger.entries() {
            self.own_at_site.book(entry.change_l2, Bound::AtMost(0.0), site);
        }
        let name = site.to_string();
        subject.compare(&mut self.own_in_logits, &own.logits, &subject.clean, &name)?;
        // Against a run that is off the fused path, too: a rounding cannot pass for an effect.
        let difference = of_all_logits(&other.logits, &own.logits, subject.n_sequences())?;
        self.sensitive.book(difference, Bound::Above(0.0), site);
        Ok(())
    }
}

fn is_fork(site: Site) -> bool {
    let forks = |layer| {
        [Site::attn_in(layer), Site::q_input(layer), Site::k_input(layer), Site::v_input(layer)]
    };
    site.layer().is_some_and(|layer| forks(layer).contains(&site))
}

/// Multiplies each element by another factor, so that no layer norm divides the change out, and by factors
/// of either sign, so that a softmax that was saturated is so no longer.
#[derive(Debug)]
struct Wave;

impl Edit for Wave {
    fn apply(&self, selected: &Tensor, _part: &Part<'_>) -> Result<Tensor> {
        let factors: Vec<f64> = (0..selected.numel()).map(|number| (number as f64).cos()).collect();
        let factors = Tensor::f_from_slice(&factors)?.f_view(&selected.size()[..])?;
        let factors = factors.f_to_kind(selected.f_kind()?)?.f_to_device(selected.device())?;
        Ok(selected.f_mul(&factors)?)
    }
}
