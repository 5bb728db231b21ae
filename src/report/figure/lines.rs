//! Lines with bands.

use ndarray::{ArrayView1, aview1};
use plotters::prelude::*;

use super::axis::is_drawable;
use super::hover::{Hovers, brief, exact};
use super::legend::{Legend, Mark};
use super::plot::{Chart, Plot, WIDE};
use super::sheet::{FigureError, GREY, SERIES, check_labels, check_marks, sheet};
use super::title::{title_height, titled};
use crate::Result;

/// Several quantities along one axis, each with the band of its interval: faithfulness by the size of a circuit, the
/// loss by the factor that a layer is scaled by.
///
/// ```
/// use hooked_gpt2::report::figure::{Lines, Series, XAxis};
/// use ndarray::array;
/// let (factors, loss) = (array![0.1, 0.5, 1.0, 2.0], array![4.1, 3.5, 3.2, 3.9]);
/// let (low, high) = (&loss - 0.2, &loss + 0.3);
/// let lines = Lines {
///     title: "layer 2, scaled".to_owned(),
///     x: ("factor", XAxis::Numbers(factors.view())),
///     y: "loss (nats)",
///     series: &[Series {
///         name: "mean of 40 prompts, 95 % interval",
///         values: loss.view(),
///         band: Some((low.view(), high.view())),
///         is_dashed: false,
///     }],
///     level: Some(("clean", 3.2)),
/// };
/// assert!(lines.to_svg()?.contains("<polygon"));
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Lines<'a> {
    /// Above it, on up to three lines.
    pub title: String,
    /// What lies along the horizontal axis, and where.
    pub x: (&'a str, XAxis<'a>),
    /// What the values are, with their unit.
    pub y: &'a str,
    /// The lines.
    pub series: &'a [Series<'a>],
    /// A level to hold them against, and what it is; drawn as a grey dashed line.
    pub level: Option<(&'a str, f64)>,
}

/// Where the values of lines are along their axis.
#[derive(Debug, Clone, Copy)]
pub enum XAxis<'a> {
    /// `[n]`, in any order; a value at what is not a number is left out.
    Numbers(ArrayView1<'a, f64>),
    /// One after the other, each with a label: layers, tokens.
    Labels(&'a [String]),
}

/// A line of values.
#[derive(Debug, Clone, Copy)]
pub struct Series<'a> {
    /// What it is.
    pub name: &'a str,
    /// `[n]`; what is not a number breaks the line.
    pub values: ArrayView1<'a, f64>,
    /// The low and the high ends of an interval around each value: `[n]` each.
    pub band: Option<(ArrayView1<'a, f64>, ArrayView1<'a, f64>)>,
    /// Whether it is dashed, as a control may be.
    pub is_dashed: bool,
}

impl Lines<'_> {
    /// Draws them, each in a colour of its own; from the eighth line on, colours come again with dashes.
    ///
    /// # Errors
    /// [`LengthMismatch`](crate::error::AnalysisError::LengthMismatch) unless each line and band has a value for each place
    /// on the axis, [`Figure`](crate::Error::Figure).
    pub fn to_svg(&self) -> Result<String> {
        let places = self.x.1.len();
        for series in self.series {
            check_labels("Lines", series.values.len(), places)?;
            for end in series.band.iter().flat_map(|(low, high)| [low, high]) {
                check_labels("Lines", end.len(), places)?;
            }
        }
        check_marks([self.series.len(), places])?;
        let plot = self.plot();
        let legend = self.legend(plot.left());
        let height = title_height(&self.title, WIDE.0) + legend.height() + plot.height();
        sheet((WIDE.0, height), &self.title, |area, hovers| {
            let (head, rest) = titled(area, &self.title)?.split_vertically(legend.height());
            legend.draw(&head)?;
            self.draw(&mut plot.draw(&rest)?, hovers)
        })
    }

    fn plot(&self) -> Plot<'_> {
        let bands =
            self.series.iter().filter_map(|series| series.band).flat_map(|(low, high)| [low, high]);
        let values = self.series.iter().map(|series| series.values);
        let y = values.chain(bands).flatten().copied().chain(self.level.map(|(_, level)| level));
        let names = (self.x.0, self.y);
        match self.x.1 {
            XAxis::Numbers(x) => Plot::of_numbers(WIDE, names, x.iter().copied(), y),
            XAxis::Labels(labels) => Plot::of_index(names, labels, y),
        }
    }

    fn level(&self) -> Option<(&str, f64)> {
        self.level.filter(|&(_, level)| is_drawable(level))
    }

    fn legend(&self, left: u32) -> Legend {
        let lines = self.series.iter().enumerate().map(|(number, series)| {
            let colour = SERIES[number % SERIES.len()];
            let mark = if series.has_dashes(number) { Mark::Dashes } else { Mark::Line };
            (mark(colour), series.name)
        });
        let level = self.level().map(|(name, _)| (Mark::Dashes(GREY), name));
        Legend::of(lines.chain(level), left, WIDE.0)
    }

    fn draw(&self, chart: &mut Chart<'_, '_>, hovers: &mut Hovers) -> Result<(), FigureError> {
        let order = self.x.1.order();
        let colours = || SERIES.iter().cycle().copied();
        for (series, colour) in self.series.iter().zip(colours()) {
            series.draw_band(chart, &order, colour)?;
        }
        if let Some((_, level)) = self.level() {
            let std::ops::Range { start, end } = chart.x_range();
            let line = [(start, level), (end, level)];
            chart.draw_series(DashedLineSeries::new(line, 6, 4, GREY.stroke_width(2)))?;
        }
        for (number, (series, colour)) in self.series.iter().zip(colours()).enumerate() {
            series.draw_line(chart, &order, colour, series.has_dashes(number))?;
            for &(place, x) in &order {
                let value = series.values[place];
                if !is_drawable(value) {
                    continue;
                }
                hovers.add_dot(chart.backend_coord(&(x, value)), || {
                    let (name, axis) = (brief(series.name), brief(self.x.0));
                    let at = self.x.1.name_of(place);
                    let band = series.band.map_or(String::new(), |(low, high)| {
                        format!(" ({} to {})", exact(low[place]), exact(high[place]))
                    });
                    format!("{name}, {axis} {at}: {}{band}", exact(value))
                });
            }
        }
        Ok(())
    }
}

impl XAxis<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Numbers(x) => x.len(),
            Self::Labels(labels) => labels.len(),
        }
    }

    fn name_of(&self, place: usize) -> String {
        match self {
            Self::Numbers(x) => exact(x[place]),
            Self::Labels(labels) => brief(&labels[place]),
        }
    }

    /// Places of the values and where they are, from the left.
    fn order(&self) -> Vec<(usize, f64)> {
        match self {
            Self::Numbers(x) => {
                let drawable = x.iter().copied().enumerate().filter(|&(_, x)| is_drawable(x));
                let mut order: Vec<_> = drawable.collect();
                order.sort_by(|a, b| a.1.total_cmp(&b.1));
                order
            }
            Self::Labels(labels) => (0..labels.len()).map(|place| (place, place as f64)).collect(),
        }
    }
}

impl Default for XAxis<'_> {
    fn default() -> Self {
        Self::Labels(&[])
    }
}

impl Default for Series<'_> {
    /// No values.
    fn default() -> Self {
        Self { name: "", values: aview1(&[]), band: None, is_dashed: false }
    }
}
