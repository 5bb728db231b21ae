//! Sums and deviations from the mean that neither a large mean nor huge or minute values spoil.

use ndarray::{Array1, ArrayView1};

/// How far values lie from their mean, in multiples of a power of two.
pub(super) struct Deviations {
    /// The power of two.
    pub unit: f64,
    values: Array1<f64>,
}

impl Deviations {
    /// The deviations of at least one finite value, each right to its last digits.
    pub fn of(values: ArrayView1<'_, f64>) -> Self {
        let unit = unit(values);
        let mut deviations = &values / unit;
        // A mean rounds to its last place, which may be as much as all deviations. Those from the rounded mean
        // are then differences of close numbers, which do not round, and their own mean is what it lacked.
        for _ in 0..2 {
            let mean = sum(deviations.iter().copied()) / deviations.len() as f64;
            deviations -= mean;
        }
        Self { unit, values: deviations }
    }

    /// The sum of the products, in the product of both units.
    pub fn dot(&self, other: &Self) -> f64 {
        sum(self.values.iter().zip(&other.values).map(|(x, y)| x * y))
    }
}

/// The power of two just below the largest magnitude: to divide by it rounds nothing that counts, and brings sums
/// and squares into the range of an f64.
pub(super) fn unit(values: ArrayView1<'_, f64>) -> f64 {
    let largest = values.fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let exponent_alone = f64::from_bits(largest.to_bits() & f64::INFINITY.to_bits());
    exponent_alone.max(f64::MIN_POSITIVE)
}

/// The sum of `terms`, as if every step had twice the digits of an f64 (Ogita, Rump and Oishi, "Accurate Sum and
/// Dot Product", 2005).
pub(super) fn sum(terms: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0, 0.0);
    for term in terms {
        let next = sum + term;
        // What rounding took from `next`, exactly, whichever of the two is the larger (Knuth).
        let added = next - sum;
        lost += (sum - (next - added)) + (term - added);
        sum = next;
    }
    sum + lost
}
