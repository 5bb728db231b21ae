//! What the marks of a figure mean, in a line above it, where it hides nothing.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::sheet::{Area, FigureError, LABEL, cut, text, width};

pub(super) const LEGEND_HEIGHT: u32 = 26;
const MARK: i32 = 24;
/// The room below which a meaning says nothing.
const NARROWEST: u32 = 40;

#[derive(Debug, Clone, Copy)]
pub(super) enum Mark {
    Dashes(RGBColor),
    Line(RGBColor),
    Dot(RGBColor),
    Ring(RGBColor),
}

/// Draws marks and their meanings from the left, as many as there is room for.
pub(super) fn draw_legend(
    area: &Area<'_>,
    left: u32,
    entries: &[(Mark, &str)],
) -> Result<(), FigureError> {
    let (room, y) = (area.dim_in_pixel().0, LEGEND_HEIGHT as i32 / 2);
    let style = text(LABEL).pos(Pos::new(HPos::Left, VPos::Center));
    let mut x = left as i32;
    for &(mark, meaning) in entries {
        let begin = x + MARK + 8;
        let room = room.saturating_sub(begin as u32);
        if room < NARROWEST {
            break;
        }
        let meaning = cut(meaning, room, LABEL);
        let line = |from: i32, to: i32, colour: RGBColor| {
            area.draw(&PathElement::new([(x + from, y), (x + to, y)], colour.stroke_width(2)))
        };
        match mark {
            Mark::Dashes(colour) => {
                [(0, 6), (9, 15), (18, 24)].iter().try_for_each(|&(a, b)| line(a, b, colour))?
            }
            Mark::Line(colour) => line(0, MARK, colour)?,
            Mark::Dot(colour) => area.draw(&Circle::new((x + MARK / 2, y), 5, colour.filled()))?,
            Mark::Ring(colour) => {
                area.draw(&Circle::new((x + MARK / 2, y), 5, colour.stroke_width(2)))?
            }
        }
        area.draw_text(&meaning, &style, (begin, y))?;
        x = begin + width(&meaning, LABEL) as i32 + 20;
    }
    Ok(())
}
