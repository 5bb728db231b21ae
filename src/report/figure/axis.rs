//! Axes of numbers: their range, their ticks, and the labels of those.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;

use super::sheet::{LABEL, width};

/// The largest magnitude whose differences are still finite.
pub(super) const LARGEST: f64 = 1e300;
/// Shares of its magnitude below which a span cannot be told from roundings.
const NARROWEST: f64 = 1e-9;

/// Whether a value has a place on an axis.
pub(super) fn is_drawable(value: f64) -> bool {
    value.abs() <= LARGEST
}

/// A range of values with round numbers along it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    pub range: Range<f64>,
    step: f64,
}

impl Axis {
    /// An axis along which all drawable `values` have room, with about so many ticks.
    pub fn of(values: impl IntoIterator<Item = f64>, ticks: usize) -> Self {
        let bounds =
            values.into_iter().filter(|&value| is_drawable(value)).fold(None, |bounds, x| {
                let (low, high) = bounds.unwrap_or((x, x));
                Some((x.min(low), x.max(high)))
            });
        let (low, high) = bounds.unwrap_or((0.0, 1.0));
        let magnitude = low.abs().max(high.abs());
        let margin = match high - low {
            span if span > NARROWEST * magnitude => 0.05 * span,
            _ => (0.05 * magnitude).max(0.5),
        };
        Self::new(low - margin..high + margin, ticks)
    }

    pub fn new(range: Range<f64>, ticks: usize) -> Self {
        let rough = (range.end - range.start) / ticks.max(1) as f64;
        let power = 10_f64.powf(rough.log10().floor());
        let nice = [1.0, 2.0, 5.0].into_iter().find(|nice| nice * power >= rough).unwrap_or(10.0);
        Self { range, step: nice * power }
    }

    /// Without ticks, for what is labelled otherwise.
    pub fn bare(range: Range<f64>) -> Self {
        Self { range, step: f64::NAN }
    }

    pub fn ticks(&self) -> Vec<f64> {
        let first = (self.range.start / self.step).ceil();
        let count = (self.range.end / self.step).floor() - first;
        // A subnormal step divides into infinities, and has no ticks; neither has a step that is not a number.
        if !(0.0..100.0).contains(&count) {
            return Vec::new();
        }
        (0..=count as usize).map(|tick| (first + tick as f64) * self.step).collect()
    }

    /// A value near a tick, with the digits that tell ticks apart.
    pub fn label(&self, value: f64) -> String {
        let largest = self.range.start.abs().max(self.range.end.abs());
        let decimals = (-self.step.log10() - 1e-9).ceil().max(0.0);
        let is_zero = value.abs() < self.step / 2.0;
        if largest < 1e6 && decimals <= 5.0 {
            // No negative zero.
            return format!("{:.*}", decimals as usize, if is_zero { 0.0 } else { value });
        }
        if is_zero {
            return "0".to_owned();
        }
        let digits = (largest / self.step).log10().ceil().clamp(0.0, 15.0);
        format!("{value:.*e}", digits as usize)
    }

    /// The pixels that the widest label takes.
    pub fn label_width(&self) -> u32 {
        let widths = self.ticks().into_iter().map(|tick| width(&self.label(tick), LABEL));
        widths.max().unwrap_or(0)
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        RangedCoordf64::from(self.range.clone()).map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.ticks()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        self.label(*value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_labels_tell_them_apart() {
        for (values, expected) in [
            (vec![7.7098, 8.5533], vec!["7.8", "8.0", "8.2", "8.4"]),
            (vec![391.0, 829.0], vec!["400", "500", "600", "700", "800"]),
            (vec![-1e-7, 1e-7], vec!["-1.0e-7", "-5.0e-8", "0", "5.0e-8", "1.0e-7"]),
            (vec![0.9e30, 1e30], vec!["9.00e29", "9.50e29", "1.00e30"]),
        ] {
            let axis = Axis::of(values.iter().copied(), 5);
            let labels: Vec<_> = axis.ticks().into_iter().map(|tick| axis.label(tick)).collect();
            assert_eq!(labels, expected, "{values:?}");
        }
    }

    #[test]
    fn any_values_give_a_finite_axis_with_few_ticks() {
        let extremes =
            [0.0, 1.0, -1.0, 1e-320, 1e-300, 1e16, 1e16 + 2.0, 1e300, -1e300, f64::MAX, f64::NAN];
        for first in extremes {
            for second in extremes.into_iter().chain([f64::INFINITY]) {
                let axis = Axis::of([first, second], 10);
                let Range { start, end } = axis.range;
                assert!(start < end && (end - start).is_finite(), "{first} {second}: {axis:?}");
                assert!(axis.ticks().len() <= 12, "{first} {second}: {axis:?}");
                assert!(axis.label_width() < 200, "{first} {second}: {axis:?}");
            }
        }
    }
}
