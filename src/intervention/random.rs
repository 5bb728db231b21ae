//! Random numbers that belong to a place in the model, whatever else a run computes.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::hook::Part;
use crate::site::{Site, SiteShape};

/// Where one vector of a site stands: all that lies along the last axis there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The number of the example, not its index in a batch.
    pub example: u64,
    /// The position; of attention, that of the query.
    pub position: usize,
    /// The head; 0 at sites that have none.
    pub head: usize,
}

/// The vectors of `part`, in the order in which a contiguous tensor holds them.
pub(super) fn places(part: &Part<'_>) -> Vec<Place> {
    let heads = if part.heads.is_empty() { &[0] } else { part.heads };
    let mut places = Vec::with_capacity(part.examples.len() * part.positions.len() * heads.len());
    for &example in part.examples {
        let at = |&position| heads.iter().map(move |&head| Place { example, position, head });
        let mut of_example: Vec<Place> = part.positions.iter().flat_map(at).collect();
        if part.site.shape() == SiteShape::Attention {
            of_example.sort_by_key(|place| place.head);
        }
        places.append(&mut of_example);
    }
    places
}

/// The generator of one place, a function of its arguments alone.
pub(super) fn generator(seed: u64, site: Site, place: Place) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&place.example.to_le_bytes());
    key[16..24].copy_from_slice(&site.code().to_le_bytes());
    key[24..28].copy_from_slice(&(place.position as u32).to_le_bytes());
    key[28..].copy_from_slice(&(place.head as u32).to_le_bytes());
    ChaCha8Rng::from_seed(key)
}
