//! The axes of a plot, what they are, and the space between them.

use plotters::coord::cartesian::Cartesian2d;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;
use super::labels::Labels;
use super::sheet::{Area, FigureError, GREY, GRID, LABEL, NAME, cut, text};

pub(super) type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;

/// The width of a sheet, and the height of a plot above its lower axis.
pub(super) type Size = (u32, u32);
/// For what goes on along an axis.
pub(super) const WIDE: Size = (820, 380);
/// For two quantities of one kind.
pub(super) const SQUARE: Size = (760, 540);
const LEFT: u32 = 8;
const TOP: u32 = 8;
const RIGHT: u32 = 24;
/// The name of an axis.
const NAMED: u32 = 42;
const TICKS: usize = 8;

/// Two axes: a quantity, above an index or along another one.
#[derive(Debug, Clone)]
pub(super) struct Plot<'a> {
    pub size: Size,
    pub x: Axis,
    pub y: Axis,
    /// What they are.
    pub names: (&'a str, &'a str),
    /// The labels at 0, 1, … of the lower axis, in place of numbers.
    pub labels: Option<&'a [String]>,
}

impl<'a> Plot<'a> {
    /// Along numbers.
    pub fn of_numbers(
        size: Size,
        names: (&'a str, &'a str),
        x: impl IntoIterator<Item = f64>,
        y: impl IntoIterator<Item = f64>,
    ) -> Self {
        Self { size, x: Axis::of(x, TICKS), y: Axis::of(y, TICKS), names, labels: None }
    }

    /// Along an index: half an entry has room on either side.
    pub fn of_index(
        names: (&'a str, &'a str),
        labels: &'a [String],
        y: impl IntoIterator<Item = f64>,
    ) -> Self {
        let x = Axis::bare(-0.5..labels.len().max(1) as f64 - 0.5);
        Self { size: WIDE, x, y: Axis::of(y, TICKS), names, labels: Some(labels) }
    }

    /// The pixels from the left of the sheet to the plot.
    pub fn left(&self) -> u32 {
        LEFT + NAMED + self.y.label_width()
    }

    pub fn height(&self) -> u32 {
        TOP + self.size.1 + self.below()
    }

    /// What the labels and the name of the lower axis take.
    fn below(&self) -> u32 {
        NAMED + self.index_labels().map_or(LABEL, |labels| labels.height())
    }

    /// The pixels from one entry of the index to the next.
    fn apart(&self) -> f64 {
        f64::from(self.size.0 - RIGHT - self.left()) / (self.x.range.end - self.x.range.start)
    }

    fn index_labels(&self) -> Option<Labels<'a>> {
        self.labels.map(|labels| Labels::of(labels, self.apart()))
    }

    /// Draws the axes at the top of the area.
    pub fn draw<'b, 'c>(&self, area: &'b Area<'c>) -> Result<Chart<'b, 'c>, FigureError> {
        let (left, below) = (self.left(), self.below());
        let (_, height) = area.dim_in_pixel();
        let mut chart = ChartBuilder::on(area)
            .margin_left(LEFT)
            .margin_top(TOP)
            .margin_right(RIGHT)
            .margin_bottom(height.saturating_sub(self.height()))
            .x_label_area_size(below)
            .y_label_area_size(left - LEFT)
            .build_cartesian_2d(self.x.clone(), self.y.clone())?;
        chart
            .configure_mesh()
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(GREY)
            .y_desc(cut(self.names.1, self.size.1, NAME))
            .label_style(text(LABEL))
            .axis_desc_style(text(NAME))
            .draw()?;
        let bottom = (TOP + self.size.1) as i32;
        if let Some(labels) = self.index_labels() {
            labels.draw(area, f64::from(left) + self.apart() / 2.0, bottom + 8)?;
        }
        let length = self.size.0 - RIGHT - left;
        let style = text(NAME).pos(Pos::new(HPos::Center, VPos::Bottom));
        let at = ((left + length / 2) as i32, bottom + below as i32 - 8);
        area.draw_text(&cut(self.names.0, length, NAME), &style, at)?;
        Ok(chart)
    }
}

/// Draws the line of a slope that crosses zero at `intercept`, as far as it lies between the axes.
pub(super) fn draw_slope(
    chart: &mut Chart<'_, '_>,
    (slope, intercept): (f64, f64),
) -> Result<(), FigureError> {
    let (x, y) = (chart.x_range(), chart.y_range());
    let mut ends = (x.start, x.end);
    if slope != 0.0 {
        let [a, b] = [y.start, y.end].map(|y| (y - intercept) / slope);
        ends = (ends.0.max(a.min(b)), ends.1.min(a.max(b)));
    } else if !(y.start..y.end).contains(&intercept) {
        return Ok(());
    }
    if ends.0 < ends.1 {
        let at = |x: f64| (x, (slope * x + intercept).clamp(y.start, y.end));
        chart.draw_series(LineSeries::new([ends.0, ends.1].map(at), GREY))?;
    }
    Ok(())
}
