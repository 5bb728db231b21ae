//! The sheet that a figure is drawn on, and what all figures have in common.

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::error::{AnalysisError, Error, Result};

pub(super) const GREY: RGBColor = RGBColor(90, 100, 112);
pub(super) const BLUE: RGBColor = RGBColor(0, 98, 155);
pub(super) const RED: RGBColor = RGBColor(200, 70, 30);
pub(super) const GRID: RGBColor = RGBColor(215, 219, 224);
pub(super) const FONT: &str = "sans-serif";

pub(super) const TITLE: u32 = 22;
pub(super) const NAME: u32 = 16;
pub(super) const LABEL: u32 = 14;
/// The width of most letters, as a share of the size of the font.
const LETTER: f64 = 0.47;
/// The height of a title with the blank around it.
pub(super) const TITLE_HEIGHT: u32 = 40;

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(super) type FigureError = DrawingAreaErrorKind<std::io::Error>;

/// Draws on a white sheet of `size` pixels.
pub(super) fn sheet(
    size: (u32, u32),
    draw: impl FnOnce(&Area<'_>) -> Result<(), FigureError>,
) -> Result<String> {
    let mut svg = String::new();
    let drawn = (|| {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        area.fill(&WHITE)?;
        draw(&area)?;
        area.present()
    })();
    drawn.map_err(|error: FigureError| Error::Figure { reason: error.to_string() })?;
    if svg.chars().all(is_of_xml) {
        return Ok(svg);
    }
    Ok(svg.chars().map(|letter| if is_of_xml(letter) { letter } else { '\u{fffd}' }).collect())
}

/// Whether XML has the letter: control characters cannot even be escaped there.
fn is_of_xml(letter: char) -> bool {
    let is_control = letter < ' ' && !matches!(letter, '\t' | '\n' | '\r');
    !is_control && !matches!(letter, '\u{fffe}' | '\u{ffff}')
}

/// Refuses more marks than a figure can show.
pub(super) fn check_marks(marks: impl IntoIterator<Item = usize>) -> Result<()> {
    const MOST: usize = 1_000_000;
    let given = marks.into_iter().map(|marks| marks.max(1)).try_fold(1, usize::checked_mul);
    if given.is_some_and(|given| given <= MOST) {
        return Ok(());
    }
    let given =
        given.map_or("too many marks to be counted".to_owned(), |given| format!("{given} marks"));
    Err(Error::Figure { reason: format!("{given}, allowed: up to {MOST}") })
}

/// Writes a title over the area, and gives what is left below it.
pub(super) fn titled<'a>(area: &Area<'a>, title: &str) -> Result<Area<'a>, FigureError> {
    let (head, rest) = area.split_vertically(TITLE_HEIGHT);
    let (width, _) = head.dim_in_pixel();
    let style = text(TITLE).pos(Pos::new(HPos::Center, VPos::Center));
    head.draw_text(&cut(title, width, TITLE), &style, (width as i32 / 2, TITLE_HEIGHT as i32 / 2))?;
    Ok(rest)
}

pub(super) fn text(size: u32) -> TextStyle<'static> {
    TextStyle::from((FONT, size))
}

/// A text that reads from top to bottom.
pub(super) fn upright(size: u32) -> TextStyle<'static> {
    TextStyle::from((FONT, size).into_font().transform(FontTransform::Rotate90))
}

/// A text that reads from bottom to top.
pub(super) fn sideways(size: u32) -> TextStyle<'static> {
    TextStyle::from((FONT, size).into_font().transform(FontTransform::Rotate270))
}

/// The width of a text in pixels, of most letters a little too large.
pub(super) fn width(text: &str, size: u32) -> u32 {
    (LETTER * f64::from(size) * text.width() as f64).ceil() as u32
}

/// The text, as far as it fits into `room` pixels.
pub(super) fn cut(text: &str, room: u32, size: u32) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let columns = f64::from(room.saturating_sub(width("…", size))) / (LETTER * f64::from(size));
    let mut filled = 0;
    let fits = |&letter: &char| {
        filled += letter.width().unwrap_or(0);
        filled as f64 <= columns
    };
    text.chars().take_while(fits).collect::<String>() + "…"
}

/// Refuses labels that are not as many as what they label.
pub(super) fn check_labels(figure: &'static str, labels: usize, needed: usize) -> Result<()> {
    if labels == needed {
        return Ok(());
    }
    Err(AnalysisError::LengthMismatch { statistic: figure, left: labels, right: needed }.into())
}
