//! One line of values and its band, as they are drawn.

use plotters::prelude::*;

use super::axis::is_drawable;
use super::lines::Series;
use super::plot::Chart;
use super::sheet::{FigureError, SERIES};

/// Lines of more points than this have dots only where a point is alone.
const MOST_DOTS: usize = 60;

impl Series<'_> {
    /// Whether the line is dashed, as one whose colour comes again also is.
    pub(super) fn has_dashes(&self, number: usize) -> bool {
        self.is_dashed || (number / SERIES.len()) % 2 == 1
    }

    /// Draws the band; `order` are places of values and where they are, from the left.
    pub(super) fn draw_band(
        &self,
        chart: &mut Chart<'_, '_>,
        order: &[(usize, f64)],
        colour: RGBColor,
    ) -> Result<(), FigureError> {
        let Some((low, high)) = self.band else { return Ok(()) };
        let has_band = |place: usize| is_drawable(low[place]) && is_drawable(high[place]);
        for stretch in order.split(|&(place, _)| !has_band(place)) {
            let lower = stretch.iter().map(|&(place, x)| (x, low[place]));
            let upper = stretch.iter().rev().map(|&(place, x)| (x, high[place]));
            let outline: Vec<_> = lower.chain(upper).collect();
            match stretch {
                [] => {}
                // A band without width.
                [_] => {
                    let style = colour.mix(0.4).stroke_width(4);
                    chart.draw_series([PathElement::new(outline, style)])?;
                }
                _ => {
                    chart.draw_series([Polygon::new(outline, colour.mix(0.2))])?;
                }
            }
        }
        Ok(())
    }

    /// Draws the line, and its dots where there are few.
    pub(super) fn draw_line(
        &self,
        chart: &mut Chart<'_, '_>,
        order: &[(usize, f64)],
        colour: RGBColor,
        is_dashed: bool,
    ) -> Result<(), FigureError> {
        for stretch in order.split(|&(place, _)| !is_drawable(self.values[place])) {
            let points = stretch.iter().map(|&(place, x)| (x, self.values[place]));
            let style = colour.stroke_width(2);
            if is_dashed {
                chart.draw_series(DashedLineSeries::new(points.clone(), 6, 4, style))?;
            } else {
                chart.draw_series(LineSeries::new(points.clone(), style))?;
            }
            if order.len() <= MOST_DOTS || stretch.len() == 1 {
                chart.draw_series(points.map(|at| Circle::new(at, 3, colour.filled())))?;
            }
        }
        Ok(())
    }
}
