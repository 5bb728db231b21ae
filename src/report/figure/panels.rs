//! Quantities along an index: a panel for each, under one another.

use ndarray::ArrayView1;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::{Axis, is_drawable};
use super::hover::{Hovers, brief, exact};
use super::labels::Labels;
use super::legend::{Legend, Mark};
use super::sheet::{
    Area, BLUE, FigureError, GREY, GRID, LABEL, NAME, check_labels, check_marks, cut, sheet, text,
};
use super::title::{title_height, titled};
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
/// What the name of the index takes.
const BELOW_LABELS: u32 = 40;

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
        let left = self.left();
        let (labels, legend) = (self.labels(left), self.legend(left));
        let head = title_height(&self.title, WIDTH) + legend.height();
        let height = head + panels + labels.height() + BELOW_LABELS;
        sheet((WIDTH, height), &self.title, |area, hovers| {
            let (upper, mut rest) = titled(area, &self.title)?.split_vertically(legend.height());
            legend.draw(&upper)?;
            for panel in self.panels {
                let (upper, lower) = rest.split_vertically(PANEL_HEIGHT + GAP);
                self.draw_panel(&upper, hovers, panel, left)?;
                rest = lower;
            }
            self.draw_labels(&rest, labels, left)
        })
    }

    /// Where all panels begin.
    fn left(&self) -> u32 {
        let widths = self.panels.iter().map(|panel| panel.axis().label_width());
        LEFT + 42 + widths.max().unwrap_or(0)
    }

    /// The labels of the index.
    fn labels(&self, left: u32) -> Labels<'_> {
        let entries = self.index.1.len().max(1);
        Labels::of(self.index.1, f64::from(WIDTH - RIGHT - left) / entries as f64)
    }

    fn legend(&self, left: u32) -> Legend {
        let mut entries = vec![(Mark::Dot(BLUE), self.dots)];
        if !self.rings.0.is_empty() {
            entries.push((Mark::Ring(BLUE), self.rings.1));
        }
        if self.panels.iter().any(|panel| panel.level.is_some_and(is_drawable)) {
            entries.push((Mark::Dashes(GREY), self.level));
        }
        Legend::of(entries, left, WIDTH)
    }

    fn draw_panel(
        &self,
        area: &Area<'_>,
        hovers: &mut Hovers,
        panel: &Panel<'_>,
        left: u32,
    ) -> Result<(), FigureError> {
        let ends = self.ends();
        let mut chart = ChartBuilder::on(area)
            .margin_left(LEFT)
            .margin_top(GAP)
            .margin_right(RIGHT)
            .x_label_area_size(1)
            .y_label_area_size(left - LEFT)
            .build_cartesian_2d(ends.0..ends.1, panel.axis())?;
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
            for at in line {
                let entry = at.0 as usize;
                let is_ring = rings.binary_search(&entry).is_ok();
                let style = if is_ring { BLUE.stroke_width(2) } else { BLUE.filled() };
                chart.draw_series([Circle::new(at, 5, style)])?;
                hovers.add_dot(chart.backend_coord(&at), || {
                    let (index, label) = (brief(self.index.0), brief(&self.index.1[entry]));
                    format!("{index} {label}: {} {}", exact(at.1), brief(panel.quantity))
                });
            }
        }
        Ok(())
    }

    /// Where the index begins and ends, with half an entry on either side.
    fn ends(&self) -> (f64, f64) {
        (-0.5, self.index.1.len().max(1) as f64 - 0.5)
    }

    /// The labels of the index and its name, below all panels.
    fn draw_labels(
        &self,
        area: &Area<'_>,
        labels: Labels<'_>,
        left: u32,
    ) -> Result<(), FigureError> {
        let length = WIDTH - RIGHT - left;
        let apart = f64::from(length) / self.index.1.len().max(1) as f64;
        labels.draw(area, f64::from(left) + apart / 2.0, 8)?;
        let name = text(NAME).pos(Pos::new(HPos::Center, VPos::Bottom));
        let at = ((left + length / 2) as i32, area.dim_in_pixel().1 as i32 - 8);
        area.draw_text(&cut(self.index.0, length, NAME), &name, at)
    }
}

impl Panel<'_> {
    fn axis(&self) -> Axis {
        Axis::of(self.values.iter().copied().chain(self.level), TICKS)
    }
}
