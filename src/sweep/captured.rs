//! What a sweep captured.

use crate::error::{Error, Result};
use crate::hook::{Activations, Key, stage_of};
use crate::model::Joining;

/// The activations of all passes, and where each variant is among them.
#[derive(Debug, Default)]
pub(crate) struct Captured {
    n_layers: usize,
    passes: Vec<Activations>,
    /// By the index of the variant; none for one that was not come to.
    places: Vec<Option<Place>>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    pass: usize,
    segment: usize,
    /// Before it forks off, a variant is its base.
    stage: usize,
}

impl Captured {
    pub fn new(n_layers: usize, n_variants: usize) -> Self {
        Self { n_layers, passes: Vec::new(), places: vec![None; n_variants] }
    }

    /// Takes what was captured in a pass of several variants, each with its index, and their bases.
    pub fn take(&mut self, variants: &[(usize, Joining)], activations: Activations) {
        let pass = self.passes.len();
        for &(number, ref joining) in variants {
            let (segment, stage) = (joining.segment.id, joining.stage);
            self.places[number] = Some(Place { pass, segment, stage });
        }
        self.passes.push(activations);
    }

    /// Takes what was captured in a plain run of the bases, or of one variant as this segment.
    pub fn take_plain(&mut self, variant: Option<(usize, usize)>, activations: Activations) {
        if let Some((number, segment)) = variant {
            self.places[number] = Some(Place { pass: self.passes.len(), segment, stage: 0 });
        }
        self.passes.push(activations);
    }

    pub fn of_variant<K: Key>(&self, key: K, number: usize, sequence: usize) -> Result<K::Found> {
        let place = self.places[number].ok_or_else(|| stopped(&key, sequence))?;
        let has_forked = |site| place.stage <= stage_of(site, self.n_layers);
        let segment_at = |site| if has_forked(site) { place.segment } else { sequence };
        self.passes[place.pass].find(&key, sequence, segment_at)
    }

    pub fn of_base<K: Key>(&self, key: K, sequence: usize) -> Result<K::Found> {
        let pass = self.passes.first().ok_or_else(|| stopped(&key, sequence))?;
        pass.find(&key, sequence, |_| sequence)
    }
}

fn stopped(key: &impl Key, sequence: usize) -> Error {
    let captured = "nothing, the sweep was stopped before".to_owned();
    Error::NotCaptured { what: key.spec().to_string(), sequence, captured }
}
