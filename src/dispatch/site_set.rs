//! Sets of sites.

use crate::site::Site;

/// Sites as bits, so that asking at every site of every block costs nothing.
#[derive(Debug)]
pub(super) struct SiteSet {
    /// One word per region.
    words: Vec<u32>,
}

impl SiteSet {
    pub fn new(n_layers: usize) -> Self {
        Self { words: vec![0; n_layers + 1] }
    }

    pub fn insert(&mut self, site: Site) {
        let word = self.word_of(site);
        self.words[word] |= 1 << site.number();
    }

    pub fn contains(&self, site: Site) -> bool {
        self.words[self.word_of(site)] & (1 << site.number()) != 0
    }

    fn word_of(&self, site: Site) -> usize {
        site.region().number(self.words.len() - 1)
    }
}
