//! Sets of sites.

use super::Site;

/// Sites as bits, so that asking at every site of every block costs nothing.
#[derive(Debug)]
pub(super) struct SiteSet {
    /// One word per layer, and a last one for the sites outside the blocks.
    words: Vec<u32>,
}

impl SiteSet {
    pub fn new(n_layers: usize) -> Self {
        Self { words: vec![0; n_layers + 1] }
    }

    pub fn insert(&mut self, site: Site) {
        let word = self.word_of(site);
        self.words[word] |= 1 << site.number_in_layer();
    }

    pub fn contains(&self, site: Site) -> bool {
        self.words[self.word_of(site)] & (1 << site.number_in_layer()) != 0
    }

    fn word_of(&self, site: Site) -> usize {
        site.layer().unwrap_or(self.words.len() - 1)
    }
}
