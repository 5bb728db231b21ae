//! Identities of whole blocks.

use tch::Kind;

use super::difference::{double, largest, largest_difference, of_all_logits};
use super::identity::{Bound, Identity};
use super::roundings;
use super::subject::Subject;
use super::tally::Tally;
use crate::error::Result;
use crate::hook::At;
use crate::intervention::Interventions;
use crate::model::Parameter;
use crate::site::Site;

/// The identities of blocks, under way.
pub(super) struct BlockChecks {
    stream: Tally,
    heads: Tally,
    skipped: Tally,
    resumed: Tally,
}

impl BlockChecks {
    pub fn new() -> Self {
        Self {
            stream: Tally::new("what is added to the residual stream adds up"),
            heads: Tally::new("the heads' results and the output bias add up to attn_out"),
            skipped: Tally::new("skipping a block is patching its beginning into its end"),
            resumed: Tally::new("a run that resumes at a block has the same logits"),
        }
    }

    pub fn finish(self) -> Vec<Identity> {
        let Self { stream, heads, skipped, resumed } = self;
        [stream, heads, skipped, resumed].map(Tally::finish).into()
    }

    pub fn check(&mut self, subject: &Subject<'_>, layer: usize) -> Result<()> {
        self.add_up(subject, layer)?;
        self.skip(subject, layer)?;
        let resumed = subject.run_from(Some(layer)).execute()?.logits;
        let difference = of_all_logits(&resumed, &subject.clean, subject.n_sequences())?;
        self.resumed.book(difference, Bound::AtMost(0.0), format_args!("block {layer}"));
        Ok(())
    }

    fn add_up(&mut self, subject: &Subject<'_>, layer: usize) -> Result<()> {
        let (pre, mid, post) =
            (Site::resid_pre(layer), Site::resid_mid(layer), Site::resid_post(layer));
        let (attn_out, mlp_out, result) =
            (Site::attn_out(layer), Site::mlp_out(layer), Site::result(layer));
        let sites = [pre, result, attn_out, mid, mlp_out, post];
        let run = subject.run_from(Some(layer)).capture(sites).without_logits();
        let activations = run.execute()?.activations;
        let bias = subject.model.parameter(Parameter::b_o(layer))?;

        for sequence in 0..subject.n_sequences() {
            let at = |site| activations.get(site, sequence);
            let mut sums = vec![
                (at(pre)?.f_add(&at(attn_out)?)?, at(mid)?, mid),
                (at(mid)?.f_add(&at(mlp_out)?)?, at(post)?, post),
            ];
            if layer + 1 < subject.model.config().n_layers {
                let next = subject.residuals(layer + 1)[sequence].shallow_clone();
                sums.push((at(post)?, next, Site::resid_pre(layer + 1)));
            }
            for (sum, expected, site) in sums {
                let difference = largest_difference(&sum, &expected)?;
                let at = format!("{site}, sequence {sequence}");
                // One addition is rounded in one way.
                self.stream.book(difference, Bound::AtMost(0.0), at);
            }

            // Summed in f64: all that is rounded is the model's own sum.
            let heads = double(&at(result)?)?;
            let sum = heads.f_sum_dim_intlist(1, false, None::<Kind>)?.f_add(&double(&bias)?)?;
            let largest = largest(&heads)?.max(largest(&bias)?);
            let allowed = Bound::AtMost(roundings::of_sum(subject.model.precision(), largest));
            let difference = largest_difference(&sum, &double(&at(attn_out)?)?)?;
            let at = format!("{attn_out}, sequence {sequence}");
            self.heads.book(difference, allowed, at);
        }
        Ok(())
    }

    fn skip(&mut self, subject: &Subject<'_>, layer: usize) -> Result<()> {
        let (mut skip, mut patch) = (Interventions::new(), Interventions::new());
        skip.skip(layer);
        for (sequence, residual) in subject.residuals(layer).iter().enumerate() {
            patch.set(At::resid_post(layer).sequences([sequence]), residual)?;
        }
        let run = |hooks| subject.run_from(Some(layer)).hooks(hooks).execute();
        let (skipped, patched) = (run(&skip)?.logits, run(&patch)?.logits);
        subject.compare(&mut self.skipped, &skipped, &patched, &format!("block {layer}"))
    }
}
