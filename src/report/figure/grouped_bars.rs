//! Bars with intervals, several for each label.

use ndarray::{ArrayView1, aview1};
use plotters::prelude::*;

use super::axis::is_drawable;
use super::hover::{Hovers, brief, exact};
use super::legend::{Legend, Mark};
use super::plot::{Chart, Plot, WIDE};
use super::sheet::{FigureError, SERIES, check_labels, check_marks, sheet};
use super::title::{title_height, titled};
use crate::Result;

/// For each label some bars side by side, with error bars: an effect clean and ablated, for each head.
///
/// ```
/// use hooked_gpt2::report::figure::{BarSeries, GroupedBars};
/// use ndarray::array;
/// let (clean, ablated) = (array![3.1, 0.4], array![1.2, 0.5]);
/// let (low, high) = (array![0.9, 0.2], array![1.5, 0.8]);
/// let bars = GroupedBars {
///     title: "logit difference".to_owned(),
///     labels: ("task", &["indirect objects", "greater-than"].map(str::to_owned)),
///     y: "logit difference",
///     series: &[
///         BarSeries { name: "clean", values: clean.view(), ..BarSeries::default() },
///         BarSeries {
///             name: "ablated",
///             values: ablated.view(),
///             interval: Some((low.view(), high.view())),
///         },
///     ],
/// };
/// assert!(bars.to_svg()?.contains("ablated"));
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct GroupedBars<'a> {
    /// Above it, on up to three lines.
    pub title: String,
    /// What the labels are, and each of them, from the left.
    pub labels: (&'a str, &'a [String]),
    /// What the bars are as long as, with its unit.
    pub y: &'a str,
    /// The bars of one colour; those of one label stand in this order.
    pub series: &'a [BarSeries<'a>],
}

/// Bars of one colour, one for each label.
#[derive(Debug, Clone, Copy)]
pub struct BarSeries<'a> {
    /// What they are.
    pub name: &'a str,
    /// `[labels]`; what is not a number has no bar.
    pub values: ArrayView1<'a, f64>,
    /// The low and the high ends of an interval around each value: `[labels]` each.
    pub interval: Option<(ArrayView1<'a, f64>, ArrayView1<'a, f64>)>,
}

impl Default for BarSeries<'_> {
    /// No bars.
    fn default() -> Self {
        Self { name: "", values: aview1(&[]), interval: None }
    }
}

/// The share of the room of a label that its bars fill.
const FILLED: f64 = 0.8;
/// Half the width of the end of an error bar, in pixels, where the bar is as wide.
const CAP: i32 = 4;

impl GroupedBars<'_> {
    /// Draws them, from zero.
    ///
    /// # Errors
    /// [`LengthMismatch`](crate::error::AnalysisError::LengthMismatch) unless each series has a value and an interval for
    /// each label, [`Figure`](crate::Error::Figure).
    pub fn to_svg(&self) -> Result<String> {
        let labels = self.labels.1.len();
        for series in self.series {
            check_labels("GroupedBars", series.values.len(), labels)?;
            for end in series.interval.iter().flat_map(|(low, high)| [low, high]) {
                check_labels("GroupedBars", end.len(), labels)?;
            }
        }
        check_marks([self.series.len(), labels])?;
        let plot = self.plot();
        let names = self.series.iter().zip(SERIES.iter().cycle());
        let names = names.map(|(series, &colour)| (Mark::Square(colour), series.name));
        let legend = Legend::of(names, plot.left(), WIDE.0);
        let height = title_height(&self.title, WIDE.0) + legend.height() + plot.height();
        sheet((WIDE.0, height), &self.title, |area, hovers| {
            let (head, rest) = titled(area, &self.title)?.split_vertically(legend.height());
            legend.draw(&head)?;
            self.draw(&mut plot.draw(&rest)?, hovers)
        })
    }

    fn plot(&self) -> Plot<'_> {
        let intervals = self
            .series
            .iter()
            .filter_map(|series| series.interval)
            .flat_map(|(low, high)| [low, high]);
        let values = self.series.iter().map(|series| series.values);
        let y = values.chain(intervals).flatten().copied().chain([0.0]);
        Plot::of_index((self.labels.0, self.y), self.labels.1, y)
    }

    fn draw(&self, chart: &mut Chart<'_, '_>, hovers: &mut Hovers) -> Result<(), FigureError> {
        let width = FILLED / self.series.len().max(1) as f64;
        for (number, series) in self.series.iter().enumerate() {
            let colour = SERIES[number % SERIES.len()];
            for (place, &value) in series.values.iter().enumerate() {
                if !is_drawable(value) {
                    continue;
                }
                let left = place as f64 - FILLED / 2.0 + number as f64 * width;
                let bar = [(left, 0.0), (left + width, value)];
                chart.draw_series([Rectangle::new(bar, colour.mix(0.85).filled())])?;
                let interval = series.interval.map(|(low, high)| (low[place], high[place]));
                let [begin, end] = bar.map(|corner| chart.backend_coord(&corner));
                let (top, bottom) = (begin.1.min(end.1), begin.1.max(end.1));
                let reach = [(begin.0, top.min(bottom - 6)), (end.0, bottom)];
                hovers.add((0, 0), reach, || {
                    let words = interval.map_or(String::new(), |(low, high)| {
                        format!(" ({} to {})", exact(low), exact(high))
                    });
                    let (name, label) = (brief(series.name), brief(&self.labels.1[place]));
                    format!("{label}, {name}: {}{words}", exact(value))
                });
                if let Some((low, high)) = interval
                    && is_drawable(low)
                    && is_drawable(high)
                {
                    let middle = left + width / 2.0;
                    draw_interval(chart, middle, (low, high), (end.0 - begin.0) / 2)?;
                }
            }
        }
        let std::ops::Range { start, end } = chart.x_range();
        chart.draw_series([PathElement::new([(start, 0.0), (end, 0.0)], BLACK)])?;
        Ok(())
    }
}

/// Draws an error bar with its ends, so far to either side at most.
fn draw_interval(
    chart: &mut Chart<'_, '_>,
    x: f64,
    (low, high): (f64, f64),
    widest: i32,
) -> Result<(), FigureError> {
    let cap = CAP.min(widest);
    chart.draw_series([PathElement::new([(x, low), (x, high)], BLACK)])?;
    chart
        .draw_series([low, high].map(|end| {
            EmptyElement::at((x, end)) + PathElement::new([(-cap, 0), (cap, 0)], BLACK)
        }))?;
    Ok(())
}
