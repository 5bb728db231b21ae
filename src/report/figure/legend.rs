//! What the marks of a figure mean, in lines above it, where they hide nothing.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::sheet::{Area, FigureError, LABEL, cut, text, width};

/// The height of a line.
pub(super) const LEGEND_HEIGHT: u32 = 26;
const MARK: i32 = 24;
/// The blank between a mark and its meaning, and behind that.
const BLANKS: (i32, i32) = (8, 20);
/// The room that a meaning has at least, on whatever sheet.
const NARROWEST: i32 = 40;

#[derive(Debug, Clone, Copy)]
pub(super) enum Mark {
    Dashes(RGBColor),
    Line(RGBColor),
    Dot(RGBColor),
    Ring(RGBColor),
    Square(RGBColor),
    /// A remark.
    Nothing,
}

/// Marks and their meanings, broken into lines.
#[derive(Debug, Clone)]
pub(super) struct Legend {
    /// Each with its left edge.
    lines: Vec<Vec<(i32, Mark, String)>>,
}

impl Legend {
    /// On lines that begin at `left` and end where the sheet does.
    pub fn of<'a>(
        entries: impl IntoIterator<Item = (Mark, &'a str)>,
        left: u32,
        sheet: u32,
    ) -> Self {
        let (left, right) = (left as i32, sheet as i32);
        let (mut lines, mut x) = (vec![Vec::new()], left);
        for (mark, meaning) in entries {
            let begin = if matches!(mark, Mark::Nothing) { 0 } else { MARK + BLANKS.0 };
            let room = (right - BLANKS.1 - left - begin).max(NARROWEST);
            let meaning = cut(meaning, room as u32, LABEL);
            let length = begin + width(&meaning, LABEL) as i32 + BLANKS.1;
            if x > left && x + length > right {
                lines.push(Vec::new());
                x = left;
            }
            if let Some(line) = lines.last_mut() {
                line.push((x, mark, meaning));
            }
            x += length;
        }
        Self { lines }
    }

    pub fn height(&self) -> u32 {
        LEGEND_HEIGHT * self.lines.len() as u32
    }

    /// Draws it at the top of the area.
    pub fn draw(&self, area: &Area<'_>) -> Result<(), FigureError> {
        let style = text(LABEL).pos(Pos::new(HPos::Left, VPos::Center));
        for (number, line) in self.lines.iter().enumerate() {
            let y = (LEGEND_HEIGHT * number as u32 + LEGEND_HEIGHT / 2) as i32;
            for &(x, mark, ref meaning) in line {
                mark.draw(area, (x, y))?;
                let begin = if matches!(mark, Mark::Nothing) { x } else { x + MARK + BLANKS.0 };
                area.draw_text(meaning, &style, (begin, y))?;
            }
        }
        Ok(())
    }
}

impl Mark {
    fn draw(self, area: &Area<'_>, (x, y): (i32, i32)) -> Result<(), FigureError> {
        let line = |from: i32, to: i32, colour: RGBColor| {
            area.draw(&PathElement::new([(x + from, y), (x + to, y)], colour.stroke_width(2)))
        };
        let middle = (x + MARK / 2, y);
        match self {
            Self::Dashes(colour) => {
                [(0, 6), (9, 15), (18, 24)].iter().try_for_each(|&(a, b)| line(a, b, colour))
            }
            Self::Line(colour) => line(0, MARK, colour),
            Self::Dot(colour) => area.draw(&Circle::new(middle, 5, colour.filled())),
            Self::Ring(colour) => area.draw(&Circle::new(middle, 5, colour.stroke_width(2))),
            Self::Square(colour) => {
                let corners = [(x + 4, y - 7), (x + MARK - 4, y + 7)];
                area.draw(&Rectangle::new(corners, colour.filled()))
            }
            Self::Nothing => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_room_on_a_line_goes_onto_the_next() {
        let long = "a meaning of many words ".repeat(20);
        let meanings = ["one", "two", &long, "three"];
        let legend = Legend::of(meanings.map(|meaning| (Mark::Nothing, meaning)), 10, 300);
        let lines: Vec<usize> = legend.lines.iter().map(Vec::len).collect();
        assert_eq!(lines, [2, 1, 1]);
        assert_eq!(legend.height(), 3 * LEGEND_HEIGHT);
        for (x, _, meaning) in legend.lines.iter().flatten() {
            assert!(*x as u32 + width(meaning, LABEL) <= 300, "{meaning}");
        }
    }
}
