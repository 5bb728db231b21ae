//! A grid of values as colours.

use ndarray::ArrayView2;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::{Axis, is_drawable};
use super::sheet::{
    Area, FigureError, GREY, LABEL, NAME, TITLE, TITLE_HEIGHT, check_labels, check_marks, cut,
    sheet, sideways, text, titled, upright, width,
};
use crate::Result;

/// A grid of values as colours, and the words around it.
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
/// From so many rows or columns on, cells are narrower.
const MOST_WIDE_CELLS: usize = 48;
const NARROWEST_CELL: u32 = 6;
const LONGEST_LABEL: u32 = 180;
/// The name of the rows, and the blank between their labels and the grid.
const BESIDE_ROWS: u32 = 50;
const WIDEST_CELL: u32 = 84;
const WIDEST_WORDS: u32 = 900;
/// What the scale of colours takes beside the grid.
const SCALE: u32 = 110;
const SHORTEST_SCALE: u32 = 150;
const QUANTITY_HEIGHT: u32 = 26;
const MOST: RGBColor = RGBColor(178, 24, 43);
const LEAST: RGBColor = RGBColor(33, 102, 172);
const MISSING: RGBColor = RGBColor(225, 225, 225);
const SCALE_STEPS: usize = 64;

/// The pixels of a heat map.
struct Layout {
    /// The width and the height of a cell.
    cell: (u32, u32),
    /// The upper left corner of the grid, below the title.
    grid: (u32, u32),
    /// The left edge of the scale, and its height.
    scale: (u32, u32),
    size: (u32, u32),
}

impl HeatMap<'_> {
    /// Draws it: zero is white, the largest magnitude full red or blue; what is not a number is grey.
    ///
    /// # Errors
    /// [`LengthMismatch`](crate::error::AnalysisError::LengthMismatch) unless each row and column has a label,
    /// [`Figure`](crate::Error::Figure).
    pub fn to_svg(&self) -> Result<String> {
        let (rows, columns) = self.values.dim();
        check_labels("HeatMap", self.rows.1.len(), rows)?;
        check_labels("HeatMap", self.columns.1.len(), columns)?;
        check_marks([rows, columns])?;
        let layout = self.layout();
        sheet(layout.size, |area| self.draw(&titled(area, &self.title)?, &layout))
    }

    fn layout(&self) -> Layout {
        let (rows, columns) = self.values.dim();
        let cell = |count: usize| match count {
            ..=MOST_WIDE_CELLS => CELL,
            _ => (CELL * MOST_WIDE_CELLS as u32 / count as u32).max(NARROWEST_CELL),
        };
        let beside = widest(self.rows.1) + BESIDE_ROWS;
        let words = width(&self.title, TITLE).max(width(&self.quantity, NAME));
        let words = words.min(WIDEST_WORDS) + 40;
        // A few columns fill what the words above them take.
        let room = words.saturating_sub(beside + SCALE) / columns.max(1) as u32;
        let cell = (room.min(WIDEST_CELL).max(cell(columns)), cell(rows));
        let (across, down) = (columns as u32 * cell.0, rows as u32 * cell.1);
        let region = across.max(width(self.columns.0, NAME));
        let whole = beside + region + SCALE;
        let left = beside + words.saturating_sub(whole) / 2;
        let top = QUANTITY_HEIGHT + 8;
        let below = widest(self.columns.1) + 40;
        let scale = (left + region + 24, down.max(SHORTEST_SCALE));
        let height = TITLE_HEIGHT + top + (down + below).max(scale.1 + 16);
        Layout { cell, grid: (left, top), scale, size: (whole.max(words), height) }
    }

    fn draw(&self, area: &Area<'_>, layout: &Layout) -> Result<(), FigureError> {
        let (rows, columns) = self.values.dim();
        let Layout { cell, grid, scale, size } = *layout;
        let centred = |size| text(size).pos(Pos::new(HPos::Center, VPos::Center));
        let quantity = cut(&self.quantity, size.0, NAME);
        let middle = (size.0 as i32 / 2, QUANTITY_HEIGHT as i32 / 2);
        area.draw_text(&quantity, &centred(NAME).color(&GREY), middle)?;

        let drawable = self.values.iter().filter(|&&value| is_drawable(value));
        let largest = drawable.fold(0.0, |largest: f64, value| largest.max(value.abs()));
        let left = |column: usize| (grid.0 + column as u32 * cell.0) as i32;
        let top = |row: usize| (grid.1 + row as u32 * cell.1) as i32;
        for ((row, column), &value) in self.values.indexed_iter() {
            let corners = [(left(column), top(row)), (left(column + 1), top(row + 1))];
            area.draw(&Rectangle::new(corners, colour(value, largest).filled()))?;
        }
        let frame = [(left(0), top(0)), (left(columns), top(rows))];
        area.draw(&Rectangle::new(frame, GREY))?;

        // Every label, or as many as have room.
        let step = |cell: u32| 16_u32.div_ceil(cell) as usize;
        let from_right = text(LABEL).pos(Pos::new(HPos::Right, VPos::Center));
        for (row, label) in self.rows.1.iter().enumerate().step_by(step(cell.1)) {
            let at = (left(0) - 6, top(row) + cell.1 as i32 / 2);
            area.draw_text(&cut(label, LONGEST_LABEL, LABEL), &from_right, at)?;
        }
        let downward = upright(LABEL).pos(Pos::new(HPos::Left, VPos::Center));
        for (column, label) in self.columns.1.iter().enumerate().step_by(step(cell.0)) {
            let at = (left(column) + cell.0 as i32 / 2, top(rows) + 6);
            area.draw_text(&cut(label, LONGEST_LABEL, LABEL), &downward, at)?;
        }
        let middle = (grid.0 + scale.0 - 24) as i32 / 2;
        let below = top(rows) + widest(self.columns.1) as i32 + 22;
        area.draw_text(self.columns.0, &centred(NAME), (middle, below))?;
        let beside = sideways(NAME).pos(Pos::new(HPos::Center, VPos::Center));
        let from_edge = left(0) - widest(self.rows.1) as i32 - BESIDE_ROWS as i32 + 16;
        area.draw_text(self.rows.0, &beside, (from_edge, (top(0) + top(rows)) / 2))?;
        draw_scale(area, scale, top(0), largest)
    }
}

/// The colours and what they stand for.
fn draw_scale(
    area: &Area<'_>,
    (left, height): (u32, u32),
    top: i32,
    largest: f64,
) -> Result<(), FigureError> {
    const WIDTH: i32 = 22;
    let bound = if largest > 0.0 { largest } else { 1.0 };
    let (left, height) = (left as i32, f64::from(height));
    let y = |value: f64| top + (height * (1.0 - value / bound) / 2.0).round() as i32;
    for step in 0..SCALE_STEPS {
        let value = |step: usize| bound * (2.0 * step as f64 / SCALE_STEPS as f64 - 1.0);
        let corners = [(left, y(value(step + 1))), (left + WIDTH, y(value(step)))];
        let middle = (value(step) + value(step + 1)) / 2.0;
        area.draw(&Rectangle::new(corners, colour(middle, bound).filled()))?;
    }
    let axis = Axis::new(-bound..bound, 5);
    let style = text(LABEL).pos(Pos::new(HPos::Left, VPos::Center));
    for tick in axis.ticks() {
        area.draw(&PathElement::new([(left + WIDTH, y(tick)), (left + WIDTH + 4, y(tick))], GREY))?;
        area.draw_text(&axis.label(tick), &style, (left + WIDTH + 8, y(tick)))?;
    }
    Ok(())
}

/// The pixels that the widest label takes.
fn widest(labels: &[String]) -> u32 {
    let widths = labels.iter().map(|label| width(label, LABEL));
    widths.max().unwrap_or(0).min(LONGEST_LABEL)
}

fn colour(value: f64, largest: f64) -> RGBColor {
    if !is_drawable(value) {
        return MISSING;
    }
    let share = if largest > 0.0 { (value / largest).clamp(-1.0, 1.0) } else { 0.0 };
    let full = if share < 0.0 { LEAST } else { MOST };
    let mix = |channel: u8| (255.0 + (f64::from(channel) - 255.0) * share.abs()).round() as u8;
    RGBColor(mix(full.0), mix(full.1), mix(full.2))
}
