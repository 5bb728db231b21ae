//! Where the parts of a heat map lie.

use super::super::axis::is_drawable;
use super::super::colour::SCALE;
use super::super::labels::{LONGEST_LABEL, Labels, widest};
use super::super::legend::LEGEND_HEIGHT;
use super::super::number::Short;
use super::super::sheet::{LABEL, NAME, TITLE, cut, width};
use super::super::title::title_height;
use super::HeatMap;

/// The size of numbers in cells.
pub(super) const CELL_NUMBER: u32 = 12;
pub(super) const QUANTITY_HEIGHT: u32 = 26;
const CELL: u32 = 34;
/// Up to so many columns, cells grow for the numbers in them.
const MOST_GROWING: usize = 24;
/// From so many rows or columns on, cells are narrower.
const MOST_WIDE_CELLS: usize = 48;
const NARROWEST_CELL: u32 = 6;
const WIDEST_CELL: u32 = 84;
/// The narrowest cell with borders.
const BORDERED: u32 = 16;
/// The name of the rows, and the blank between their labels and the grid.
const BESIDE_ROWS: u32 = 50;
const LONGEST_ROWS_NAME: u32 = 240;
const WIDEST_WORDS: u32 = 900;
/// The blank between the grid and the scale.
const GAP: u32 = 24;
const SHORTEST_SCALE: u32 = 150;

/// The pixels of a heat map, below its title.
pub(super) struct Layout<'a> {
    /// The width and the height of a cell.
    pub cell: (u32, u32),
    /// The upper left corner of the grid.
    pub grid: (u32, u32),
    /// The left edge of the scale, and its height.
    pub scale: (u32, u32),
    /// The size of the sheet, with the title.
    pub size: (u32, u32),
    /// The largest magnitude, of those that can be drawn.
    pub largest: f64,
    /// How the numbers in the cells are written, if they have room.
    pub numbers: Option<Short>,
    pub labels: Labels<'a>,
    pub columns_name: String,
    pub rows_name: String,
    pub rows_name_at: (i32, i32),
    /// The width and the height of the grid, or of what stands beside and below it where that is more.
    region: (u32, u32),
    down: u32,
}

impl<'a> Layout<'a> {
    pub fn of(map: &HeatMap<'a>) -> Self {
        let (rows, columns) = map.values.dim();
        let side = |count: usize| match count {
            ..=MOST_WIDE_CELLS => CELL,
            _ => (CELL * MOST_WIDE_CELLS as u32 / count as u32).max(NARROWEST_CELL),
        };
        let beside = widest(map.rows.1) + BESIDE_ROWS;
        let words = width(&map.title, TITLE).max(width(&map.quantity, NAME));
        let words = words.min(WIDEST_WORDS) + 40;
        // A few columns fill what the words above them take.
        let room = words.saturating_sub(beside + SCALE) / columns.max(1) as u32;
        let drawable = || map.values.iter().copied().filter(|&value| is_drawable(value));
        let largest = drawable().fold(0.0, |largest: f64, value| largest.max(value.abs()));
        let short = Short::of(largest);
        let widths = drawable().map(|value| width(&short.text(value), CELL_NUMBER));
        let widest_number = widths.max().unwrap_or(0) + 4;
        let mut across = room.min(WIDEST_CELL).max(side(columns));
        if columns <= MOST_GROWING && widest_number <= WIDEST_CELL {
            across = across.max(widest_number);
        }
        let cell = (across, side(rows));
        let numbers = Some(short).filter(|_| widest_number <= across && cell.1 >= CELL_NUMBER + 4);

        let down = rows as u32 * cell.1;
        let columns_name = cut(map.columns.0, WIDEST_WORDS, NAME);
        let region = (columns as u32 * cell.0).max(width(&columns_name, NAME));
        let whole = beside + region + SCALE;
        let left = beside + words.saturating_sub(whole) / 2;
        let faint = if map.faint.is_some() { LEGEND_HEIGHT } else { 0 };
        let top = QUANTITY_HEIGHT + faint + 8;
        let tall = down.max(SHORTEST_SCALE);
        let rows_name = cut(map.rows.0, tall.max(LONGEST_ROWS_NAME), NAME);
        // A name that is longer than the grid begins where that does, and not above it.
        let rows_length = down.max(width(&rows_name, NAME));
        let labels = Labels::of(map.columns.1, f64::from(cell.0));
        let below = labels.height() + 40;
        let size_across = whole.max(words);
        let height = title_height(&map.title, size_across)
            + top
            + (down + below).max(tall + 24).max(rows_length + 8);
        Self {
            cell,
            grid: (left, top),
            scale: (left + region + GAP, tall),
            size: (size_across, height),
            largest,
            numbers,
            labels,
            columns_name,
            rows_name,
            rows_name_at: ((left + 16 - beside) as i32, (top + rows_length / 2) as i32),
            region: (region, tall),
            down,
        }
    }

    pub fn left(&self, column: usize) -> i32 {
        (self.grid.0 + column as u32 * self.cell.0) as i32
    }

    pub fn top(&self, row: usize) -> i32 {
        (self.grid.1 + row as u32 * self.cell.1) as i32
    }

    pub fn corners(&self, (row, column): (usize, usize)) -> [(i32, i32); 2] {
        [(self.left(column), self.top(row)), (self.left(column + 1), self.top(row + 1))]
    }

    pub fn middle(&self, (row, column): (usize, usize)) -> (i32, i32) {
        let (width, height) = (self.cell.0 as i32, self.cell.1 as i32);
        (self.left(column) + width / 2, self.top(row) + height / 2)
    }

    pub fn has_borders(&self) -> bool {
        self.cell.0.min(self.cell.1) >= BORDERED
    }

    /// The centre and the radius of a ring in a cell, in its corner where a number is in its middle.
    pub fn ring(&self, (row, column): (usize, usize)) -> ((i32, i32), u32) {
        match self.numbers {
            Some(_) => ((self.left(column + 1) - 5, self.top(row) + 5), 2),
            None => (self.middle((row, column)), (self.cell.0.min(self.cell.1) / 4).clamp(1, 5)),
        }
    }

    pub fn cut(&self, label: &str) -> String {
        cut(label, LONGEST_LABEL, LABEL)
    }

    pub fn columns_name_at(&self) -> (i32, i32) {
        let middle = self.grid.0 + self.region.0 / 2;
        (middle as i32, (self.grid.1 + self.down + self.labels.height()) as i32 + 22)
    }
}
