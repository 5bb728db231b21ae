//! An identity, and when it holds.

use std::fmt;

use serde::Serialize;

/// An identity, and how well it holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Identity {
    /// What must hold.
    pub name: &'static str,
    /// The largest difference, or the smallest change where there must be one; NaN (`null` in JSON) if
    /// one is not a number.
    pub figure: f64,
    /// What the figure must be.
    pub allowed: Bound,
    /// Whether it is.
    pub holds: bool,
    /// How many comparisons were made.
    pub comparisons: usize,
    /// Which of them the figure is from: the one nearest to what is allowed, or farthest beyond.
    pub worst_at: String,
}

/// What a figure must be for an identity to hold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Bound {
    /// This or less: of differences.
    AtMost(f64),
    /// More than this: of changes that must be there.
    Above(f64),
}

impl Bound {
    /// Whether `figure` is within it; NaN never is.
    pub fn holds(self, figure: f64) -> bool {
        match self {
            Bound::AtMost(allowed) => figure <= allowed,
            Bound::Above(needed) => figure > needed,
        }
    }

    /// How near `figure` comes to the bound, or how far it lies beyond: the larger, the worse.
    pub(super) fn badness(self, figure: f64) -> f64 {
        match self {
            _ if figure.is_nan() => f64::INFINITY,
            // Nothing allowed and nothing there: the quotient would be NaN.
            Bound::AtMost(_) if figure == 0.0 => 0.0,
            Bound::AtMost(allowed) => figure / allowed,
            Bound::Above(needed) => needed - figure,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::AtMost(0.0) => f.write_str("none"),
            Bound::AtMost(allowed) => write!(f, "{allowed:.1e}"),
            Bound::Above(0.0) => f.write_str("above 0"),
            Bound::Above(needed) => write!(f, "above {needed:.1e}"),
        }
    }
}
