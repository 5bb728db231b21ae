//! Quantities along an index: a panel for each, under one another.

use ndarray::ArrayView1;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::{Axis, is_drawable};
use super::legend::{LEGEND_HEIGHT, Mark, draw_legend};
use super::sheet::{
    Area, BLUE, FigureError, GREY, GRID, LABEL, NAME, TITLE_HEIGHT, check_labels, check_marks, cut,
    sheet, text, titled, upright, width,
};
use crate::Result;

/// Quantities along an index, such as the loss by layer: a panel for each, under one another.
#[derive(Debug, Clone)]
pub struct IndexPanels<'a> {
    /// Above them.
    pub title: String,
    /// What the index is, and a label for each of its entries.
    pub index: (&'a str, &'a [String]),
    /// What the dots are.
    pub dots: &'a str,
    /// Entries that have a ring in place of a dot, and what that says of them.
    pub rings: (&'a [usize], &'a str),
    /// What the level of each panel is.
    pub level: &'a str,
    /// The panels, from the top.
    pub panels: &'a [Panel<'a>],
}

/// One quantity along an index.
#[derive(Debug, Clone)]
pub struct Panel<'a> {
    /// The quantity, with its unit.
    pub quantity: &'a str,
    /// `[index]`; what is not a number has no dot, and breaks the line.
    pub values: ArrayView1<'a, f64>,
    /// A level to hold them against, drawn as a dashed line.
    pub level: Option<f64>,
}

const WIDTH: u32 = 820;
/// The height of a panel above its axis.
const PANEL_HEIGHT: u32 = 262;
const GAP: u32 = 10;
const LEFT: u32 = 8;
const RIGHT: u32 = 14;
const TICKS: usize = 7;
const LONGEST_LABEL: u32 = 130;
/// Labels wider than this stand on end.
const WIDEST_LYING: u32 = 44;

impl IndexPanels<'_> {
    /// Draws them.
    ///
    /// # Errors
    /// [`LengthMismatch`](crate::error::AnalysisError::LengthMismatch) unless each panel has a value for each entry of the
    /// index, [`Figure`](crate::Error::Figure).
    pub fn to_svg(&self) -> Result<String> {
        for panel in self.panels {
            check_labels("IndexPanels", self.index.1.len(), panel.values.len())?;
        }
        check_marks([self.panels.len(), self.index.1.len()])?;
        let panels = (PANEL_HEIGHT + GAP) * self.panels.len() as u32;
        let height = TITLE_HEIGHT + LEGEND_HEIGHT + panels + self.labels_height();
        sheet((WIDTH, height), |area| self.draw(area))
    }

    fn draw(&self, area: &Area<'_>) -> Result<(), FigureError> {
        let (legend, mut rest) = titled(area, &self.title)?.split_vertically(LEGEND_HEIGHT);
        let axes: Vec<Axis> = self.panels.iter().map(Panel::axis).collect();
        let left = LEFT + 42 + axes.iter().map(Axis::label_width).max().unwrap_or(0);
        self.draw_legend(&legend, left)?;
        for (panel, axis) in self.panels.iter().zip(&axes) {
            let (upper, lower) = rest.split_vertically(PANEL_HEIGHT + GAP);
            self.draw_panel(&upper, panel, axis, left)?;
            rest = lower;
        }
        self.draw_labels(&rest, left)
    }

    fn draw_legend(&self, area: &Area<'_>, left: u32) -> Result<(), FigureError> {
        let mut entries = vec![(Mark::Dot(BLUE), self.dots)];
        if !self.rings.0.is_empty() {
            entries.push((Mark::Ring(BLUE), self.rings.1));
        }
        if self.panels.iter().any(|panel| panel.level.is_some_and(is_drawable)) {
            entries.push((Mark::Dashes(GREY), self.level));
        }
        draw_legend(area, left, &entries)
    }

    fn draw_panel(
        &self,
        area: &Area<'_>,
        panel: &Panel<'_>,
        axis: &Axis,
        left: u32,
    ) -> Result<(), FigureError> {
        let ends = self.ends();
        let mut chart = ChartBuilder::on(area)
            .margin_left(LEFT)
            .margin_top(GAP)
            .margin_right(RIGHT)
            .x_label_area_size(1)
            .y_label_area_size(left - LEFT)
            .build_cartesian_2d(ends.0..ends.1, axis.clone())?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(0)
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(GREY)
            .y_desc(cut(panel.quantity, PANEL_HEIGHT, NAME))
            .label_style(text(LABEL))
            .axis_desc_style(text(NAME))
            .draw()?;
        if let Some(level) = panel.level.filter(|&level| is_drawable(level)) {
            let line = [(ends.0, level), (ends.1, level)];
            chart.draw_series(DashedLineSeries::new(line, 6, 4, GREY.stroke_width(2)))?;
        }
        let mut rings = self.rings.0.to_vec();
        rings.sort_unstable();
        let points: Vec<(usize, f64)> = panel.values.iter().copied().enumerate().collect();
        for stretch in points.split(|&(_, value)| !is_drawable(value)) {
            let line = stretch.iter().map(|&(entry, value)| (entry as f64, value));
            chart.draw_series(LineSeries::new(line.clone(), BLUE.mix(0.5)))?;
            chart.draw_series(line.map(|at| {
                let is_ring = rings.binary_search(&(at.0 as usize)).is_ok();
                let style = if is_ring { BLUE.stroke_width(2) } else { BLUE.filled() };
                Circle::new(at, 5, style)
            }))?;
        }
        Ok(())
    }

    /// Where the index begins and ends, with half an entry on either side.
    fn ends(&self) -> (f64, f64) {
        (-0.5, self.index.1.len().max(1) as f64 - 0.5)
    }

    fn widest_label(&self) -> u32 {
        let widths = self.index.1.iter().map(|label| width(label, LABEL));
        widths.max().unwrap_or(0).min(LONGEST_LABEL)
    }

    fn labels_height(&self) -> u32 {
        let widest = self.widest_label();
        (if widest > WIDEST_LYING { widest } else { LABEL }) + 40
    }

    /// The labels of the index and its name, below all panels.
    fn draw_labels(&self, area: &Area<'_>, left: u32) -> Result<(), FigureError> {
        let entries = self.index.1.len();
        let length = WIDTH - RIGHT - left;
        let (begin, end) = self.ends();
        let x = |entry: usize| {
            let share = (entry as f64 - begin) / (end - begin);
            (f64::from(left) + share * f64::from(length)) as i32
        };
        let (style, each) = match self.widest_label() {
            lying @ ..=WIDEST_LYING => {
                (text(LABEL).pos(Pos::new(HPos::Center, VPos::Top)), lying + 8)
            }
            _ => (upright(LABEL).pos(Pos::new(HPos::Left, VPos::Center)), 16),
        };
        // As many as there is room for, the first one always.
        let step = (entries as u32 * each).div_ceil(length).max(1) as usize;
        for entry in (0..entries).step_by(step) {
            let label = cut(&self.index.1[entry], LONGEST_LABEL, LABEL);
            area.draw_text(&label, &style, (x(entry), 8))?;
        }
        let name = text(NAME).pos(Pos::new(HPos::Center, VPos::Bottom));
        let middle = (left + length / 2) as i32;
        area.draw_text(
            &cut(self.index.0, length, NAME),
            &name,
            (middle, area.dim_in_pixel().1 as i32 - 8),
        )
    }
}

impl Panel<'_> {
    fn axis(&self) -> Axis {
        Axis::of(self.values.iter().copied().chain(self.level), TICKS)
    }
}
