//! What reaches the logits through which site: read off the table.

use super::{Point, Section, Site};

impl Site {
    /// Whether the site is in the residual stream at either end of a block, where it passes even if
    /// the block is skipped.
    pub(crate) fn is_block_end(self) -> bool {
        matches!(self.point, Point::ResidPre | Point::ResidPost)
    }

    /// Whether it is the end of a block, where what forks off behind the block is.
    pub(crate) fn leaves_block(self) -> bool {
        self.point == Point::ResidPost
    }

    /// Whether it holds the attention scores, which are negative infinity where a query sees no key.
    pub(crate) fn is_scores(self) -> bool {
        self.point == Point::AttnScores
    }

    /// Whether an edit there decides which positions each position sees.
    pub(crate) fn is_pattern(self) -> bool {
        self.point == Point::Pattern
    }

    /// The forks of the residual stream that attention reads in place of it once they are edited, each
    /// then through a layer norm of its own.
    pub(crate) const fn attention_forks(layer: usize) -> [Self; 4] {
        [Self::attn_in(layer), Self::q_input(layer), Self::k_input(layer), Self::v_input(layer)]
    }

    /// The layer norm that edited forks go past.
    pub(crate) const fn attention_norm(layer: usize) -> [Self; 2] {
        [Self::ln1_scale(layer), Self::ln1_normalized(layer)]
    }

    /// Whether everything that `earlier` does to the logits goes through this site, which comes later.
    pub(crate) fn is_passed_by_all_of(self, earlier: Self) -> bool {
        if earlier >= self {
            return false;
        }
        // Between sections and blocks there is the residual stream alone.
        let reached = if (earlier.section(), earlier.layer) == (self.section(), self.layer) {
            vec![earlier.point]
        } else {
            match self.section() {
                Section::Before => return false,
                Section::Block => vec![Point::ResidPre],
                Section::After => Point::AFTER[..2].to_vec(),
            }
        };
        let (section, end) = match self.section() {
            Section::Before => return false,
            Section::Block => (Point::IN_BLOCK, Point::ResidPost),
            Section::After => (Point::AFTER, Point::Unembed),
        };
        let mut reached: Vec<Point> =
            reached.into_iter().filter(|&point| point != self.point).collect();
        // Sites stand in execution order, so that one look at each is enough.
        for &point in section.iter().filter(|&&point| point != self.point) {
            if point.reads().iter().any(|read| reached.contains(read)) {
                reached.push(point);
            }
        }
        !reached.contains(&end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What reaches the logits past a site, written down by hand from the formulas of a block.
    #[test]
    fn a_site_is_passed_by_what_has_no_other_way_to_the_logits() {
        let all = || Site::all(3);
        let passing = |site: Site| -> Vec<Site> {
            all().filter(|&earlier| site.is_passed_by_all_of(earlier)).collect()
        };
        let of = |sites: &[fn(usize) -> Site]| -> Vec<Site> {
            let mut sites: Vec<Site> = sites.iter().map(|site| site(1)).collect();
            sites.sort();
            sites
        };
        for stream in [Site::resid_pre(1), Site::resid_mid(1), Site::resid_post(1)] {
            assert_eq!(passing(stream), all().filter(|&site| site < stream).collect::<Vec<_>>());
        }
        assert_eq!(passing(Site::unembed()).len(), all().count() - 1);
        assert_eq!(passing(Site::ln_final_normalized()).len(), all().count() - 2);
        assert!(passing(Site::ln_final_scale()).is_empty());
        assert!(passing(Site::ln1_scale(1)).is_empty());
        assert!(passing(Site::attn_in(1)).is_empty());
        assert_eq!(passing(Site::ln1_normalized(1)), of(&[Site::ln1_scale]));
        assert_eq!(passing(Site::q(1)), of(&[Site::q_input]));
        assert_eq!(passing(Site::v(1)), of(&[Site::v_input]));
        let scores = [Site::q_input, Site::k_input, Site::q, Site::k];
        assert_eq!(passing(Site::attn_scores(1)), of(&scores));
        let in_attention = |site: &Site| site.layer() == Some(1) && *site > Site::resid_pre(1);
        for (end, first) in [(Site::z(1), Site::attn_in(1)), (Site::attn_out(1), Site::attn_in(1))]
        {
            let inside: Vec<Site> =
                all().filter(|site| in_attention(site) && *site < end).collect();
            assert_eq!(inside[0], first);
            assert_eq!(passing(end), inside);
        }
        assert_eq!(
            passing(Site::mlp_pre(1)),
            of(&[Site::mlp_in, Site::ln2_scale, Site::ln2_normalized])
        );
        assert!(passing(Site::ln2_scale(1)).is_empty());
    }
}
