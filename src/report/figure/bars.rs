//! Lists of labelled bars, side by side on one scale.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::is_drawable;
use super::hover::{Hovers, brief, exact};
use super::sheet::{Area, BLUE, FigureError, GREY, LABEL, RED, check_marks, cut, sheet, text};
use super::title::{draw_title, title_height};
use crate::Result;

/// Lists of labelled bars, side by side on one scale: the likely tokens of two runs, for instance.
#[derive(Debug, Clone)]
pub struct Bars<'a> {
    /// The lists, from the left; the first one is grey, as what the others are held against.
    pub lists: &'a [BarList],
}

/// Bars under one another.
#[derive(Debug, Clone)]
pub struct BarList {
    /// Above it.
    pub title: String,
    /// The bars, from the top.
    pub bars: Vec<Bar>,
}

/// A bar between its label and its value in words.
#[derive(Debug, Clone)]
pub struct Bar {
    /// On the left.
    pub label: String,
    /// Its length; below zero or not a number, there is none.
    pub value: f64,
    /// On the right.
    pub words: String,
    /// Whether it stands out in red.
    pub is_marked: bool,
}

const LIST_WIDTH: u32 = 450;
const TITLE_WIDTH: u32 = LIST_WIDTH - 16;
const BAR: i32 = 30;
const TEXT_END: u32 = 150;
const LONGEST_BAR: f64 = 210.0;

impl Bars<'_> {
    /// Draws them.
    ///
    /// # Errors
    /// [`Figure`](crate::Error::Figure).
    pub fn to_svg(&self) -> Result<String> {
        let rows = self.lists.iter().map(|list| list.bars.len()).max().unwrap_or(0);
        check_marks([self.lists.len(), rows])?;
        let width = LIST_WIDTH * self.lists.len().max(1) as u32;
        let height = self.head() + BAR as u32 * rows as u32 + 16;
        let titles: Vec<&str> = self.lists.iter().map(|list| &*list.title).collect();
        sheet((width, height), &titles.join(", "), |area, hovers| self.draw(area, hovers))
    }

    /// What the titles of the lists take.
    fn head(&self) -> u32 {
        let heights = self.lists.iter().map(|list| title_height(&list.title, TITLE_WIDTH));
        heights.max().unwrap_or(title_height("", TITLE_WIDTH))
    }

    fn draw(&self, area: &Area<'_>, hovers: &mut Hovers) -> Result<(), FigureError> {
        let values = self.lists.iter().flat_map(|list| &list.bars).map(|bar| bar.value);
        let longest = values.filter(|&value| is_drawable(value)).fold(0.0, f64::max);
        let mut rest = area.clone();
        for (number, list) in self.lists.iter().enumerate() {
            let (panel, right) = rest.split_horizontally(LIST_WIDTH);
            let colour = if number == 0 { GREY } else { BLUE };
            list.draw(&panel, hovers, (self.head(), longest), colour)?;
            rest = right;
        }
        Ok(())
    }
}

impl BarList {
    fn draw(
        &self,
        area: &Area<'_>,
        hovers: &mut Hovers,
        (head, longest): (u32, f64),
        colour: RGBColor,
    ) -> Result<(), FigureError> {
        let from_left = text(LABEL).pos(Pos::new(HPos::Left, VPos::Center));
        let from_right = text(LABEL).pos(Pos::new(HPos::Right, VPos::Center));
        let (titles, _) = area.split_horizontally(TITLE_WIDTH);
        draw_title(&titles, &self.title, HPos::Left, 16)?;
        for (place, bar) in self.bars.iter().enumerate() {
            let middle = head as i32 + BAR * place as i32 + BAR / 2;
            let share = bar.value / longest;
            let length =
                if share > 0.0 && is_drawable(bar.value) { LONGEST_BAR * share } else { 0.0 };
            let (begin, end) = (TEXT_END as i32 + 8, TEXT_END as i32 + 8 + length.round() as i32);
            let colour = if bar.is_marked { RED } else { colour };
            let corners = [(begin, middle - 10), (end, middle + 10)];
            area.draw(&Rectangle::new(corners, colour.filled()))?;
            let whole = [(0, middle - BAR / 2), (LIST_WIDTH as i32 - 16, middle + BAR / 2)];
            hovers.add(area.get_base_pixel(), whole, || {
                format!("{}: {} ({})", brief(&bar.label), exact(bar.value), brief(&bar.words))
            });
            let label = cut(&bar.label, TEXT_END - 8, LABEL);
            area.draw_text(&label, &from_right, (TEXT_END as i32, middle))?;
            let words = cut(&bar.words, LIST_WIDTH.saturating_sub(end as u32 + 6), LABEL);
            area.draw_text(&words, &from_left, (end + 6, middle))?;
        }
        Ok(())
    }
}
