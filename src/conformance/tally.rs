//! The worst of the comparisons that make up an identity.

use std::fmt;

use super::identity::{Bound, Identity};

/// Comparisons under way.
#[derive(Debug)]
pub(super) struct Tally {
    name: &'static str,
    comparisons: usize,
    worst: Option<Comparison>,
}

#[derive(Debug)]
struct Comparison {
    figure: f64,
    bound: Bound,
    at: String,
}

impl Tally {
    /// No comparison yet of the identity called `name`.
    pub fn new(name: &'static str) -> Self {
        Self { name, comparisons: 0, worst: None }
    }

    /// Adds a comparison made at `at`.
    pub fn book(&mut self, figure: f64, bound: Bound, at: impl fmt::Display) {
        self.comparisons += 1;
        let badness = |worst: &Comparison| worst.bound.badness(worst.figure);
        if self.worst.as_ref().is_none_or(|worst| bound.badness(figure) > badness(worst)) {
            self.worst = Some(Comparison { figure, bound, at: at.to_string() });
        }
    }

    /// The identity. One that was never compared does not hold.
    pub fn finish(self) -> Identity {
        let Self { name, comparisons, worst } = self;
        let never = || Comparison {
            figure: f64::NAN,
            bound: Bound::AtMost(0.0),
            at: "nowhere: nothing was compared".to_owned(),
        };
        let Comparison { figure, bound, at } = worst.unwrap_or_else(never);
        let holds = bound.holds(figure);
        Identity { name, figure, allowed: bound, holds, comparisons, worst_at: at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(figures: &[(f64, Bound)]) -> Identity {
        let mut tally = Tally::new("an identity");
        for (number, &(figure, bound)) in figures.iter().enumerate() {
            tally.book(figure, bound, number);
        }
        tally.finish()
    }

    #[test]
    fn one_comparison_beyond_its_bound_breaks_an_identity_however_large_others_are() {
        let (small, large) = (Bound::AtMost(1e-3), Bound::AtMost(1.0));
        let kept = tally(&[(1e-4, small), (0.9, large)]);
        assert!(kept.holds);
        assert_eq!((kept.figure, kept.worst_at.as_str(), kept.comparisons), (0.9, "1", 2));
        let broken = tally(&[(2e-3, small), (0.9, large)]);
        assert!(!broken.holds);
        assert_eq!((broken.figure, broken.worst_at.as_str()), (2e-3, "0"));
    }

    #[test]
    fn where_no_difference_is_allowed_the_smallest_one_breaks_it() {
        assert!(tally(&[(0.0, Bound::AtMost(0.0))]).holds);
        let broken = tally(&[(0.0, Bound::AtMost(0.0)), (1e-300, Bound::AtMost(0.0))]);
        assert!(!broken.holds && broken.worst_at == "1");
    }

    #[test]
    fn a_change_that_must_be_there_breaks_it_by_its_absence() {
        let above = Bound::Above(0.0);
        let kept = tally(&[(3.0, above), (1e-9, above), (2.0, above)]);
        assert!(kept.holds && kept.figure == 1e-9 && kept.worst_at == "1");
        let broken = tally(&[(3.0, above), (0.0, above), (1e-9, above)]);
        assert!(!broken.holds && broken.worst_at == "1");
    }

    #[test]
    fn what_is_not_a_number_and_what_was_never_compared_do_not_hold() {
        for bound in [Bound::AtMost(1.0), Bound::Above(0.0)] {
            let broken = tally(&[(f64::NAN, bound), (0.5, bound)]);
            assert!(!broken.holds && broken.worst_at == "0");
        }
        let empty = tally(&[]);
        assert!(!empty.holds && empty.comparisons == 0);
    }
}
