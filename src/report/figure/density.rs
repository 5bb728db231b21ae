//! Many values against what they were before.

use ndarray::ArrayView1;
use plotters::prelude::*;

use super::axis::{Axis, is_drawable};
use super::hover::{Hovers, brief, exact};
use super::legend::{Legend, Mark};
use super::plot::{Chart, Plot, SQUARE, draw_slope};
use super::sheet::{BLUE, FigureError, GREY, RED, check_labels, sheet};
use super::title::{title_height, titled};
use crate::Result;

/// Many values against others, such as the logits of a run against the clean ones: how many lie where.
///
/// A vocabulary has tens of thousands of tokens: as dots they would be megabytes of SVG and one solid blot,
/// as shades of cells they show where the tokens lie.
#[derive(Debug, Clone)]
pub struct Density<'a> {
    /// Above it.
    pub title: String,
    /// What lies along the horizontal axis: `[n]`.
    pub clean: (&'a str, ArrayView1<'a, f64>),
    /// What lies along the vertical axis: `[n]`.
    pub other: (&'a str, ArrayView1<'a, f64>),
    /// A ring around one of them, and its name.
    pub marked: Option<(usize, &'a str)>,
}

/// Cells per side.
const CELLS: usize = 110;

impl Density<'_> {
    /// Draws it, with the diagonal on which nothing has changed.
    ///
    /// # Errors
    /// [`LengthMismatch`](crate::error::AnalysisError::LengthMismatch), [`Figure`](crate::Error::Figure).
    pub fn to_svg(&self) -> Result<String> {
        check_labels("Density", self.clean.1.len(), self.other.1.len())?;
        let [x, y] = [0, 1].map(|axis| self.pairs().map(move |pair| [pair.0, pair.1][axis]));
        let plot = Plot::of_numbers(SQUARE, (self.clean.0, self.other.0), x, y);
        let legend = Legend::of(self.legend(&plot), plot.left(), SQUARE.0);
        let height = title_height(&self.title, SQUARE.0) + legend.height() + plot.height();
        sheet((SQUARE.0, height), &self.title, |area, hovers| {
            let (head, rest) = titled(area, &self.title)?.split_vertically(legend.height());
            legend.draw(&head)?;
            self.draw(&plot, &mut plot.draw(&rest)?, hovers)
        })
    }

    fn pairs(&self) -> impl Iterator<Item = (f64, f64)> {
        let pairs = self.clean.1.iter().copied().zip(self.other.1.iter().copied());
        pairs.filter(|&(x, y)| is_drawable(x) && is_drawable(y))
    }

    /// Where the marked one is, and its name.
    fn marked(&self) -> Option<((f64, f64), &str)> {
        let (place, name) = self.marked?;
        let at = (*self.clean.1.get(place)?, *self.other.1.get(place)?);
        Some((at, name)).filter(|_| is_drawable(at.0) && is_drawable(at.1))
    }

    fn legend(&self, plot: &Plot<'_>) -> impl Iterator<Item = (Mark, &str)> {
        let low = plot.x.range.start.max(plot.y.range.start);
        let has_diagonal = low < plot.x.range.end.min(plot.y.range.end);
        let diagonal = has_diagonal.then_some((Mark::Line(GREY), "unchanged"));
        diagonal.into_iter().chain(self.marked().map(|(_, name)| (Mark::Ring(RED), name)))
    }

    fn draw(
        &self,
        plot: &Plot<'_>,
        chart: &mut Chart<'_, '_>,
        hovers: &mut Hovers,
    ) -> Result<(), FigureError> {
        // Labels that tell cells apart, and not only ticks.
        let [x, y] = [&plot.x, &plot.y].map(|axis| Axis::new(axis.range.clone(), CELLS));
        for Cell { corners, count, share } in self.cells(&plot.x, &plot.y) {
            let colour = BLUE.mix(0.2 + 0.8 * share).filled();
            chart.draw_series([Rectangle::new(corners, colour)])?;
            let [(left, bottom), (right, top)] = corners;
            let [low, high] = corners.map(|corner| chart.backend_coord(&corner));
            hovers.add((0, 0), [(low.0, high.1), (high.0, low.1)], || {
                let range =
                    |axis: &Axis, low, high| format!("{} to {}", axis.label(low), axis.label(high));
                let (x, y) = (range(&x, left, right), range(&y, bottom, top));
                format!("{} {x}, {} {y}: {count}", brief(self.clean.0), brief(self.other.0))
            });
        }
        draw_slope(chart, (1.0, 0.0))?;
        if let Some((at, name)) = self.marked() {
            chart.draw_series([Circle::new(at, 6, RED.stroke_width(2))])?;
            hovers.add_dot(chart.backend_coord(&at), || {
                format!("{}: {} to {}", brief(name), exact(at.0), exact(at.1))
            });
        }
        Ok(())
    }

    /// The cells that are not empty.
    fn cells(&self, x: &Axis, y: &Axis) -> impl Iterator<Item = Cell> {
        let cell =
            |axis: &Axis| (axis.range.start, (axis.range.end - axis.range.start) / CELLS as f64);
        let ((left, width), (bottom, height)) = (cell(x), cell(y));
        let mut counts = vec![0_u32; CELLS * CELLS];
        for (x, y) in self.pairs() {
            let column = (((x - left) / width) as usize).min(CELLS - 1);
            let row = (((y - bottom) / height) as usize).min(CELLS - 1);
            counts[row * CELLS + column] += 1;
        }
        let most = f64::from(counts.iter().copied().max().unwrap_or(1)).ln_1p();
        let filled = counts.into_iter().enumerate().filter(|&(_, count)| count > 0);
        filled.map(move |(cell, count)| {
            let x = left + (cell % CELLS) as f64 * width;
            let y = bottom + (cell / CELLS) as f64 * height;
            let corners = [(x, y), (x + width, y + height)];
            Cell { corners, count, share: f64::from(count).ln_1p() / most }
        })
    }
}

struct Cell {
    corners: [(f64, f64); 2],
    count: u32,
    /// How full it is: 1 for the fullest, on a logarithmic scale.
    share: f64,
}
