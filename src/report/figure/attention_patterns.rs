//! Attention patterns of several heads, side by side.

use ndarray::ArrayView2;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::colour::{Colours, SCALE};
use super::hover::{Hovers, brief, exact};
use super::labels::{LINE, LONGEST_LABEL, Labels, widest};
use super::sheet::{
    Area, FigureError, GREY, LABEL, NAME, TITLE, check_labels, check_marks, cut, sheet, text, width,
};
use super::title::{title_height, titled};
use crate::Result;

/// How much each position attends to itself and those before it, a square for each head.
///
/// ```
/// use hooked_gpt2::report::figure::AttentionPatterns;
/// let pattern = ndarray::array![[1.0, 0.0], [0.3, 0.7]];
/// let patterns = AttentionPatterns {
///     title: "\"the cat\"".to_owned(),
///     tokens: &["the", "·cat"].map(str::to_owned),
///     heads: &[("5.1".to_owned(), pattern.view())],
/// };
/// assert!(patterns.to_svg()?.contains("5.1: ·cat to the: 0.3"));
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct AttentionPatterns<'a> {
    /// Above them, on up to three lines.
    pub title: String,
    /// A label for each position, such as [`visible`](crate::report::visible) tokens.
    pub tokens: &'a [String],
    /// The name of each head, and its `[query_pos, key_pos]`, from 0 to 1. What is above the diagonal is not drawn.
    pub heads: &'a [(String, ArrayView2<'a, f64>)],
}

/// The side of a square, about.
const SIDE: u32 = 256;
const CELL: (u32, u32) = (4, 26);
/// The smallest cells that have an outline along the diagonal.
const STEPPED: i32 = 8;
const GAP: u32 = 18;
const NAME_HEIGHT: u32 = 24;
/// The width that the squares of a row have room in.
const ROOM: u32 = 1100;
const MOST_PER_ROW: usize = 6;
const EDGE: u32 = 16;
const SHORTEST_SCALE: u32 = 100;
const WIDEST_WORDS: u32 = 700;

struct Layout<'a> {
    cell: u32,
    side: u32,
    per_row: usize,
    /// The left edge of the first square.
    left: u32,
    labels: Labels<'a>,
    size: (u32, u32),
}

impl AttentionPatterns<'_> {
    /// Draws them: white is 0, blue is 1; what is not a number is grey.
    ///
    /// # Errors
    /// [`LengthMismatch`](crate::error::AnalysisError::LengthMismatch) unless each pattern has a row and a column for each
    /// token, [`Figure`](crate::Error::Figure).
    pub fn to_svg(&self) -> Result<String> {
        let tokens = self.tokens.len();
        for (_, pattern) in self.heads {
            check_labels("AttentionPatterns", tokens, pattern.nrows())?;
            check_labels("AttentionPatterns", tokens, pattern.ncols())?;
        }
        check_marks([self.heads.len(), tokens, tokens.div_ceil(2)])?;
        let layout = self.layout();
        sheet(layout.size, &self.title, |area, hovers| {
            self.draw(&titled(area, &self.title)?, hovers, &layout)
        })
    }

    fn layout(&self) -> Layout<'_> {
        let tokens = self.tokens.len().max(1) as u32;
        let cell = (SIDE / tokens).clamp(CELL.0, CELL.1);
        let side = cell * tokens;
        let left = EDGE + widest(self.tokens) + 6;
        let names = self.heads.iter().map(|(name, _)| width(name, NAME)).max().unwrap_or(0);
        // Names of few tokens' squares lie beside each other.
        let side = side.max(names.min(SIDE));
        let fitting = (ROOM / (side + GAP)).max(1) as usize;
        let per_row = fitting.min(MOST_PER_ROW).min(self.heads.len()).max(1);
        let rows = self.heads.len().div_ceil(per_row).max(1) as u32;
        let labels = Labels::of(self.tokens, f64::from(cell));
        let across = left + per_row as u32 * (side + GAP) + SCALE;
        let across = across.max(width(&self.title, TITLE).min(WIDEST_WORDS) + 40);
        let down = rows * (NAME_HEIGHT + cell * tokens + GAP) + labels.height() + EDGE;
        let down = down.max(NAME_HEIGHT + SHORTEST_SCALE + EDGE);
        let size = (across, title_height(&self.title, across) + down);
        Layout { cell, side, per_row, left, labels, size }
    }

    fn draw(
        &self,
        area: &Area<'_>,
        hovers: &mut Hovers,
        layout: &Layout<'_>,
    ) -> Result<(), FigureError> {
        let Layout { cell, side, per_row, left, labels, .. } = *layout;
        let down = NAME_HEIGHT + cell * self.tokens.len() as u32 + GAP;
        for (number, head) in self.heads.iter().enumerate() {
            let (row, column) = ((number / per_row) as u32, (number % per_row) as u32);
            let corner = (left + column * (side + GAP), NAME_HEIGHT + row * down);
            let corner = (corner.0 as i32, corner.1 as i32);
            let name = text(NAME).pos(Pos::new(HPos::Left, VPos::Center));
            let at = (corner.0, corner.1 - NAME_HEIGHT as i32 / 2);
            area.draw_text(&cut(&head.0, side, NAME), &name, at)?;
            self.draw_square(area, hovers, head, corner, cell as i32)?;
            if column == 0 {
                self.draw_queries(area, corner, cell)?;
            }
            // Keys are labelled below the last square of each column.
            if number + per_row >= self.heads.len() {
                let end = corner.1 + (cell * self.tokens.len() as u32) as i32 + 6;
                labels.draw(area, f64::from(corner.0) + f64::from(cell) / 2.0, end)?;
            }
        }
        let right = left + per_row as u32 * (side + GAP);
        let tall = (cell * self.tokens.len() as u32).max(SHORTEST_SCALE);
        let corner = (right as i32, NAME_HEIGHT as i32);
        Colours::Shares.draw_scale(area, corner, tall, (false, false))
    }

    fn draw_square(
        &self,
        area: &Area<'_>,
        hovers: &mut Hovers,
        (name, pattern): &(String, ArrayView2<'_, f64>),
        (left, top): (i32, i32),
        cell: i32,
    ) -> Result<(), FigureError> {
        for ((query, key), &value) in pattern.indexed_iter().filter(|((q, k), _)| k <= q) {
            let (x, y) = (left + key as i32 * cell, top + query as i32 * cell);
            let corners = [(x, y), (x + cell, y + cell)];
            area.draw(&Rectangle::new(corners, Colours::Shares.of(value).filled()))?;
            hovers.add(area.get_base_pixel(), corners, || {
                let [query, key] = [query, key].map(|position| brief(&self.tokens[position]));
                format!("{}: {query} to {key}: {}", brief(name), exact(value))
            });
        }
        let end = self.tokens.len() as i32 * cell;
        let mut outline = vec![(left, top), (left, top + end), (left + end, top + end)];
        if cell >= STEPPED {
            // Back along the diagonal.
            for position in (0..self.tokens.len() as i32).rev() {
                let (x, y) = (left + position * cell, top + position * cell);
                outline.extend([(x + cell, y), (x, y)]);
            }
        }
        area.draw(&PathElement::new(outline, GREY))
    }

    fn draw_queries(
        &self,
        area: &Area<'_>,
        (left, top): (i32, i32),
        cell: u32,
    ) -> Result<(), FigureError> {
        let style = text(LABEL).pos(Pos::new(HPos::Right, VPos::Center));
        let step = LINE.div_ceil(cell) as usize;
        for (query, token) in self.tokens.iter().enumerate().step_by(step) {
            let at = (left - 6, top + (query as u32 * cell + cell / 2) as i32);
            area.draw_text(&cut(token, LONGEST_LABEL, LABEL), &style, at)?;
        }
        Ok(())
    }
}
