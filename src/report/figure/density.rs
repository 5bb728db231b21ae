//! Many values against what they were before.

use ndarray::ArrayView1;
use plotters::prelude::*;

use super::axis::{Axis, is_drawable};
use super::hover::{Hovers, brief, exact};
use super::legend::{LEGEND_HEIGHT, Mark, draw_legend};
use super::sheet::{
    Area, BLUE, FigureError, GREY, GRID, LABEL, NAME, RED, check_labels, cut, sheet, text,
};
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
const WIDTH: u32 = 760;
/// Below the title.
const HEIGHT: u32 = 620;
const LEFT: u32 = 8;
const TICKS: usize = 9;

impl Density<'_> {
    /// Draws it, with the diagonal on which nothing has changed.
    ///
    /// # Errors
    /// [`LengthMismatch`](crate::error::AnalysisError::LengthMismatch), [`Figure`](crate::Error::Figure).
    pub fn to_svg(&self) -> Result<String> {
        check_labels("Density", self.clean.1.len(), self.other.1.len())?;
        let size = (WIDTH, title_height(&self.title, WIDTH) + HEIGHT);
        sheet(size, &self.title, |area, hovers| self.draw(area, hovers))
    }

    fn pairs(&self) -> impl Iterator<Item = (f64, f64)> {
        let pairs = self.clean.1.iter().copied().zip(self.other.1.iter().copied());
        pairs.filter(|&(x, y)| is_drawable(x) && is_drawable(y))
    }

    fn draw(&self, area: &Area<'_>, hovers: &mut Hovers) -> Result<(), FigureError> {
        let (legend, rest) = titled(area, &self.title)?.split_vertically(LEGEND_HEIGHT);
        let x = Axis::of(self.pairs().map(|(x, _)| x), TICKS);
        let y = Axis::of(self.pairs().map(|(_, y)| y), TICKS);
        let left = LEFT + 42 + y.label_width();
        let mut chart = ChartBuilder::on(&rest)
            .margin_left(LEFT)
            .margin_top(8)
            .margin_right(16)
            .margin_bottom(8)
            .x_label_area_size(46)
            .y_label_area_size(left - LEFT)
            .build_cartesian_2d(x.clone(), y.clone())?;
        chart
            .configure_mesh()
            .x_desc(cut(self.clean.0, WIDTH - left, NAME))
            .y_desc(cut(self.other.0, HEIGHT - 80, NAME))
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(GREY)
            .label_style(text(LABEL))
            .axis_desc_style(text(NAME))
            .draw()?;
        for Cell { corners, count, share } in self.cells(&x, &y) {
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

        let mut entries = Vec::new();
        let low = x.range.start.max(y.range.start);
        let high = x.range.end.min(y.range.end);
        if low < high {
            chart.draw_series(LineSeries::new([(low, low), (high, high)], GREY))?;
            entries.push((Mark::Line(GREY), "unchanged"));
        }
        if let Some((place, name)) = self.marked
            && let (Some(&x), Some(&y)) = (self.clean.1.get(place), self.other.1.get(place))
            && is_drawable(x)
            && is_drawable(y)
        {
            chart.draw_series([Circle::new((x, y), 6, RED.stroke_width(2))])?;
            hovers.add_dot(chart.backend_coord(&(x, y)), || {
                format!("{}: {} to {}", brief(name), exact(x), exact(y))
            });
            entries.push((Mark::Ring(RED), name));
        }
        draw_legend(&legend, left, &entries)
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
