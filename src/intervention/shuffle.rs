//! Activations that change places.

use rand::seq::SliceRandom;
use tch::Tensor;

use super::random::{self, Place};
use crate::error::{InterventionError, Result};
use crate::hook::{Edit, Mixing, Part, TensorForm};
use crate::scalar::reserved;
use crate::site::{Site, SiteShape};

/// Lets activations change places, so that each is still there and their order is lost.
///
/// Each order is drawn with the same probability, the one that was there among them. It depends on the
/// seed, the example's number and the site, of [channels](Self::channels) also on position and head, and
/// on how many things change places; not on how examples are put into
/// [batches](crate::Batch::with_examples).
///
/// Sites of attention are refused: a query would get the keys of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shuffle {
    pub(super) what: What,
    pub(super) seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Positions,
    Channels,
}

impl Shuffle {
    /// The vectors at the selected positions of each sequence change places, whole. What is at a
    /// position then depends on later ones.
    pub const fn positions(seed: u64) -> Self {
        Self { what: What::Positions, seed }
    }

    /// The selected entries of each vector change places: its channels, neurons or tokens.
    pub const fn channels(seed: u64) -> Self {
        Self { what: What::Channels, seed }
    }

    /// For each of `len` things at `place`, the one that takes its place.
    fn order(self, site: Site, place: Place, len: usize) -> Vec<i64> {
        let mut generator = random::generator(self.seed, site, place);
        // Streams of their own: stream 0 is what a noise of the same seed draws.
        generator.set_stream(match self.what {
            What::Positions => 1,
            What::Channels => 2,
        });
        let mut order: Vec<i64> = (0..len as i64).collect();
        order.shuffle(&mut generator);
        order
    }
}

impl Edit for Shuffle {
    fn check(&self, _selected: &TensorForm, part: &Part<'_>) -> Result<()> {
        if part.site.shape() == SiteShape::Attention {
            return Err(
                InterventionError::EditSite { allowed: "all but attn_scores and pattern" }.into()
            );
        }
        let given = match self.what {
            What::Positions => part.positions.len(),
            What::Channels => part.last_axis.len(),
        };
        if given < 2 { Err(InterventionError::TooFewToShuffle { given }.into()) } else { Ok(()) }
    }

    fn mixing(&self, _part: &Part<'_>) -> Result<Mixing> {
        Ok(match self.what {
            What::Positions => Mixing::Always,
            What::Channels => Mixing::Never,
        })
    }

    fn apply(&self, selected: &Tensor, part: &Part<'_>) -> Result<Tensor> {
        let mut size = selected.size();
        let (axis, orders): (i64, Vec<i64>) = match self.what {
            What::Positions => {
                size[2..].fill(1);
                let order = |&example: &u64| {
                    let whole = Place { example, position: 0, head: 0 };
                    self.order(part.site, whole, part.positions.len())
                };
                (1, part.examples.iter().flat_map(order).collect())
            }
            What::Channels => {
                let places = random::places(part);
                let mut orders = reserved(places.len() * part.last_axis.len())?;
                for place in places {
                    orders.extend(self.order(part.site, place, part.last_axis.len()));
                }
                (-1, orders)
            }
        };
        let from =
            Tensor::f_from_slice(&orders)?.f_view(&size[..])?.f_to_device(selected.device())?;
        Ok(selected.f_gather(axis, &from.f_expand(selected.size(), false)?, false)?)
    }
}
