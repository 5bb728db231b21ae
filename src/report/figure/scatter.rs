//! Labelled dots.

use ndarray::{ArrayView1, aview1};
use plotters::prelude::*;

use super::axis::is_drawable;
use super::dot_labels::draw_dot_labels;
use super::hover::{Hovers, brief, exact};
use super::legend::{Legend, Mark};
use super::number::Short;
use super::plot::{Chart, Plot, SQUARE, draw_slope};
use super::sheet::{BLUE, FigureError, GREY, check_labels, check_marks, sheet};
use super::title::{title_height, titled};
use crate::Result;
use crate::analysis::correlation::pearson;

/// One quantity against another, a labelled dot for each head or edge: estimates against exact effects.
///
/// What they correlate by stands above it.
///
/// ```
/// use hooked_gpt2::report::figure::{Guide, Scatter};
/// let (exact, estimate) = (ndarray::array![0.1, 0.4, -0.3], ndarray::array![0.2, 0.5, -0.1]);
/// let scatter = Scatter {
///     title: "attribution patching".to_owned(),
///     x: ("exact effect (nats)", exact.view()),
///     y: ("estimate (nats)", estimate.view()),
///     labels: &["a0.1", "a3.0", "m5"].map(str::to_owned),
///     guide: Some(Guide::Diagonal),
/// };
/// assert!(scatter.to_svg()?.contains("r = 0.99"));
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Scatter<'a> {
    /// Above it, on up to three lines.
    pub title: String,
    /// What lies along the horizontal axis: `[n]`.
    pub x: (&'a str, ArrayView1<'a, f64>),
    /// What lies along the vertical axis: `[n]`.
    pub y: (&'a str, ArrayView1<'a, f64>),
    /// What each dot is, or none for dots without names. As many are written as have room, those far out first.
    pub labels: &'a [String],
    /// A line to hold the dots against.
    pub guide: Option<Guide>,
}

/// A line to hold dots against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guide {
    /// Where both quantities are equal.
    Diagonal,
    /// The line from which the dots lie least far above and below: least squares.
    LeastSquares,
}

impl Default for Scatter<'_> {
    /// No dots.
    fn default() -> Self {
        let (x, y) = (("", aview1(&[])), ("", aview1(&[])));
        Self { title: String::new(), x, y, labels: &[], guide: None }
    }
}

impl Scatter<'_> {
    /// Draws it.
    ///
    /// # Errors
    /// [`LengthMismatch`](crate::error::AnalysisError::LengthMismatch) unless there are as many values along both axes, and as
    /// many labels or none; [`Figure`](crate::Error::Figure).
    pub fn to_svg(&self) -> Result<String> {
        check_labels("Scatter", self.x.1.len(), self.y.1.len())?;
        if !self.labels.is_empty() {
            check_labels("Scatter", self.labels.len(), self.x.1.len())?;
        }
        check_marks([self.x.1.len()])?;
        let points = self.points();
        let [x, y] = [0, 1].map(|axis| points.iter().map(move |point| point.1[axis]));
        let plot = Plot::of_numbers(SQUARE, (self.x.0, self.y.0), x, y);
        let remark = self.remark(&points);
        let line = self.guide.and_then(|guide| guide.line(&points));
        let words = line.as_ref().map(|(_, words)| (Mark::Line(GREY), &**words));
        let entries = words.into_iter().chain([(Mark::Nothing, &*remark)]);
        let legend = Legend::of(entries, plot.left(), SQUARE.0);
        let height = title_height(&self.title, SQUARE.0) + legend.height() + plot.height();
        sheet((SQUARE.0, height), &self.title, |area, hovers| {
            let (head, rest) = titled(area, &self.title)?.split_vertically(legend.height());
            legend.draw(&head)?;
            let mut chart = plot.draw(&rest)?;
            if let Some((line, _)) = &line {
                draw_slope(&mut chart, *line)?;
            }
            self.draw_dots(&mut chart, hovers, &points)?;
            draw_dot_labels(
                &rest,
                &chart,
                &points,
                self.labels,
                line.as_ref().map(|(line, _)| *line),
            )
        })
    }

    /// The places of what can be drawn, and where it lies.
    fn points(&self) -> Vec<(usize, [f64; 2])> {
        let pairs = self.x.1.iter().zip(self.y.1).map(|(&x, &y)| [x, y]).enumerate();
        pairs.filter(|(_, at)| at.iter().all(|&value| is_drawable(value))).collect()
    }

    /// What the dots correlate by, and how many they are.
    fn remark(&self, points: &[(usize, [f64; 2])]) -> String {
        let [x, y] =
            [0, 1].map(|axis| points.iter().map(|point| point.1[axis]).collect::<Vec<_>>());
        let r = pearson(aview1(&x), aview1(&y));
        let r = r.map_or("r undefined".to_owned(), |r| format!("r = {r:.3}"));
        format!("{r}, n = {}", points.len())
    }

    fn draw_dots(
        &self,
        chart: &mut Chart<'_, '_>,
        hovers: &mut Hovers,
        points: &[(usize, [f64; 2])],
    ) -> Result<(), FigureError> {
        for &(place, [x, y]) in points {
            chart.draw_series([Circle::new((x, y), 4, BLUE.mix(0.7).filled())])?;
            hovers.add_dot(chart.backend_coord(&(x, y)), || {
                let label =
                    self.labels.get(place).map_or(String::new(), |label| brief(label) + ": ");
                let (x_name, y_name) = (brief(self.x.0), brief(self.y.0));
                format!("{label}{x_name} {}, {y_name} {}", exact(x), exact(y))
            });
        }
        Ok(())
    }
}

impl Guide {
    /// Its slope and where it crosses zero, and what it is.
    fn line(self, points: &[(usize, [f64; 2])]) -> Option<((f64, f64), String)> {
        if self == Self::Diagonal {
            return Some(((1.0, 0.0), "equal".to_owned()));
        }
        let n = points.len() as f64;
        let mean =
            |of: &dyn Fn(&[f64; 2]) -> f64| points.iter().map(|(_, at)| of(at) / n).sum::<f64>();
        let (x, y) = (mean(&|at| at[0]), mean(&|at| at[1]));
        let slope = mean(&|at| (at[0] - x) * (at[1] - y)) / mean(&|at| (at[0] - x).powi(2));
        let intercept = y - slope * x;
        if !is_drawable(slope) || !is_drawable(intercept) {
            return None;
        }
        let short = |value: f64| Short::of(value.abs()).text(value.abs());
        let sign = |value: f64| if value < 0.0 { "-" } else { "" };
        let operator = if intercept < 0.0 { '-' } else { '+' };
        let words =
            format!("y = {}{} x {operator} {}", sign(slope), short(slope), short(intercept));
        Some(((slope, intercept), words))
    }
}
