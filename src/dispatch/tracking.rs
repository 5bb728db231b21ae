//! What gradients with respect to captured sites need.

use tch::Tensor;

use super::Activations;
use crate::error::Result;
use crate::hook::CaptureSpec;
use crate::layout::SegmentGroup;
use crate::site::{Site, SiteShape};

/// The captured tensors as the logits depend on them.
#[derive(Debug, Default)]
pub(super) struct Tracking {
    tracked: Vec<Tracked>,
}

#[derive(Debug)]
struct Tracked {
    site: Site,
    before_edits: bool,
    state: Tensor,
    groups: Vec<SegmentGroup>,
}

impl Tracking {
    /// Keeps the tensor of a site, flat or of one group, and gives back what the run goes on with.
    pub fn keep(
        &mut self,
        site: Site,
        before_edits: bool,
        mut state: Tensor,
        groups: &[SegmentGroup],
    ) -> Result<Tensor> {
        state = if state.requires_grad() {
            // Before its edits a fork is the stream itself, and would have the gradient of all that reads it.
            state.f_alias()?
        } else {
            // A constant took its place: the logits depend on that from here on.
            state.f_detach()?.f_set_requires_grad(true)?
        };
        let (kept, groups) = (state.shallow_clone(), groups.to_vec());
        self.tracked.push(Tracked { site, before_edits, state: kept, groups });
        Ok(state)
    }

    /// The gradients of `scalar`; zero where it does not depend on a site.
    pub fn gradients(
        &self,
        scalar: &Tensor,
        captures: &[CaptureSpec],
        n_sequences: usize,
    ) -> Result<Activations> {
        let states: Vec<&Tensor> = self.tracked.iter().map(|tracked| &tracked.state).collect();
        // libtorch crashes on a scalar that depends on nothing.
        let found = if scalar.requires_grad() && !states.is_empty() {
            Tensor::f_run_backward(&[scalar], &states, false, false)?
        } else {
            states.iter().map(|state| state.f_zeros_like()).collect::<Result<_, _>>()?
        };
        let mut gradients = Vec::with_capacity(found.len());
        for (state, gradient) in states.iter().zip(found) {
            gradients.push(if gradient.defined() { gradient } else { state.f_zeros_like()? });
        }
        self.cut(&gradients, captures, n_sequences)
    }

    /// The captured tensors as a number may be made of them: it then depends on what they were computed from.
    pub fn activations(&self, captures: &[CaptureSpec], n_sequences: usize) -> Result<Activations> {
        let states = self.tracked.iter().map(|tracked| tracked.state.shallow_clone());
        self.cut(&states.collect::<Vec<_>>(), captures, n_sequences)
    }

    /// A tensor for each one that is tracked, cut or reduced as what was captured is, and whole.
    fn cut(
        &self,
        tensors: &[Tensor],
        captures: &[CaptureSpec],
        n_sequences: usize,
    ) -> Result<Activations> {
        let mut specs = captures.to_vec();
        for whole in captures.iter().map(CaptureSpec::whole_of) {
            if !specs.contains(&whole) {
                specs.push(whole);
            }
        }
        let mut cut = Activations::new(specs, n_sequences);
        for (Tracked { site, before_edits, groups, .. }, tensor) in self.tracked.iter().zip(tensors)
        {
            for group in groups {
                let of_group = if site.shape() == SiteShape::Attention {
                    tensor.shallow_clone()
                } else {
                    group.stacked(tensor)?
                };
                cut.keep(*site, *before_edits, group, &of_group)?;
            }
        }
        Ok(cut)
    }
}
