//! A grid of values as colours.

use ndarray::ArrayView2;
use plotters::prelude::*;

use super::{Area, FONT, FigureError, sheet};
use crate::error::{AnalysisError, Result};

/// A grid of values, and the words around it.
#[derive(Debug, Clone)]
pub struct HeatMap<'a> {
    /// Above it.
    pub title: String,
    /// What the colours stand for, with its unit.
    pub quantity: String,
    /// What the rows are, and a label for each, from the top.
    pub rows: (&'a str, &'a [String]),
    /// What the columns are, and a label for each, from the left.
    pub columns: (&'a str, &'a [String]),
    /// `[rows, columns]`
    pub values: ArrayView2<'a, f64>,
}

const CELL: u32 = 34;
/// Pixels of a letter, a little too many: of the title, and of a label.
const TITLE_LETTER: u32 = 10;
const LABEL_LETTER: u32 = 7;
/// What stands left and right of the grid, and above and below it.
const BESIDE: (u32, u32) = (230, 90);
const MOST: RGBColor = RGBColor(178, 24, 43);
const LEAST: RGBColor = RGBColor(33, 102, 172);
const MISSING: RGBColor = RGBColor(225, 225, 225);
const SCALE_STEPS: usize = 64;

/// Draws a heat map: zero is white, the largest magnitude full red or blue; what is not a number is grey.
///
/// # Errors
/// [`AnalysisError::LengthMismatch`] unless each row and column has a label, [`Figure`](crate::Error::Figure).
pub fn heat_map(map: &HeatMap<'_>) -> Result<String> {
    let (rows, columns) = map.values.dim();
    for (labels, count) in [(map.rows.1, rows), (map.columns.1, columns)] {
        if labels.len() != count {
            let (left, right) = (labels.len(), count);
            return Err(AnalysisError::LengthMismatch { statistic: "heat_map", left, right }.into());
        }
    }
    let width = columns as u32 * CELL + BESIDE.0;
    let title = TITLE_LETTER * map.title.chars().count() as u32;
    let height = rows as u32 * CELL + BESIDE.1 + label_height(map);
    sheet((width.max(title), height), |area| draw(area, map))
}

/// The height of the columns' labels, which stand on end.
fn label_height(map: &HeatMap<'_>) -> u32 {
    let longest = map.columns.1.iter().map(|label| label.chars().count()).max().unwrap_or(0);
    LABEL_LETTER * longest as u32 + 30
}

fn draw(area: &Area<'_>, map: &HeatMap<'_>) -> Result<(), FigureError> {
    let (rows, columns) = map.values.dim();
    let finite = map.values.iter().filter(|value| value.is_finite());
    let largest = finite.fold(0.0, |largest: f64, value| largest.max(value.abs()));
    let area = area.titled(&map.title, (FONT, 20))?;
    let (width, _) = area.dim_in_pixel();
    let (grid, scale) = area.split_horizontally(width - 110);

    let mut chart = ChartBuilder::on(&grid)
        .margin(10)
        .x_label_area_size(label_height(map))
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..columns as f64, rows as f64..0.0)?;
    chart
        .configure_mesh()
        .disable_mesh()
        .x_labels(0)
        .y_labels(0)
        .x_desc(map.columns.0)
        .y_desc(map.rows.0)
        .axis_desc_style((FONT, 15))
        .draw()?;
    chart.draw_series(map.values.indexed_iter().map(|((row, column), &value)| {
        let corners = [(column as f64, row as f64), (column as f64 + 1.0, row as f64 + 1.0)];
        Rectangle::new(corners, colour(value, largest).filled())
    }))?;

    use plotters::style::text_anchor::{HPos, Pos, VPos};
    let label = TextStyle::from((FONT, 13).into_font());
    let to_pixel = |column: f64, row: f64| chart.backend_coord(&(column, row));
    let (left, bottom) = to_pixel(0.0, rows as f64);
    let relative = |(x, y): (i32, i32)| {
        let (x_range, y_range) = grid.get_pixel_range();
        (x - x_range.start, y - y_range.start)
    };
    for (row, text) in map.rows.1.iter().enumerate() {
        let (_, y) = to_pixel(0.0, row as f64 + 0.5);
        let style = label.pos(Pos::new(HPos::Right, VPos::Center));
        grid.draw_text(text, &style, relative((left - 6, y)))?;
    }
    let upright = TextStyle::from((FONT, 13).into_font().transform(FontTransform::Rotate90));
    for (column, text) in map.columns.1.iter().enumerate() {
        let (x, _) = to_pixel(column as f64 + 0.5, 0.0);
        let style = upright.pos(Pos::new(HPos::Left, VPos::Center));
        grid.draw_text(text, &style, relative((x, bottom + 6)))?;
    }
    draw_scale(&scale, map, largest)
}

/// The colours and what they stand for.
fn draw_scale(area: &Area<'_>, map: &HeatMap<'_>, largest: f64) -> Result<(), FigureError> {
    let bound = if largest > 0.0 { largest } else { 1.0 };
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .margin_bottom(10 + label_height(map))
        .right_y_label_area_size(52)
        .build_cartesian_2d(0.0..1.0, -bound..bound)?
        .set_secondary_coord(0.0..1.0, -bound..bound);
    chart
        .configure_secondary_axes()
        .y_labels(5)
        .y_desc(&map.quantity)
        .y_label_formatter(&|value| format!("{value:.2}"))
        .label_style((FONT, 12))
        .axis_desc_style((FONT, 13))
        .draw()?;
    chart.draw_series((0..SCALE_STEPS).map(|step| {
        let value = |step: usize| bound * (2.0 * step as f64 / SCALE_STEPS as f64 - 1.0);
        let corners = [(0.0, value(step)), (1.0, value(step + 1))];
        Rectangle::new(corners, colour(value(step), bound).filled())
    }))?;
    Ok(())
}

fn colour(value: f64, largest: f64) -> RGBColor {
    if !value.is_finite() {
        return MISSING;
    }
    let share = if largest > 0.0 { (value / largest).clamp(-1.0, 1.0) } else { 0.0 };
    let full = if share < 0.0 { LEAST } else { MOST };
    let mix = |channel: u8| (255.0 + (f64::from(channel) - 255.0) * share.abs()).round() as u8;
    RGBColor(mix(full.0), mix(full.1), mix(full.2))
}
