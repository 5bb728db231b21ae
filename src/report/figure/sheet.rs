//! The sheet that a figure is drawn on, and what all figures have in common.

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind};
use plotters::prelude::*;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::hover::{Hovers, brief, escaped};
use crate::error::{AnalysisError, Error, Result};

pub(super) const GREY: RGBColor = RGBColor(90, 100, 112);
pub(super) const BLUE: RGBColor = RGBColor(0, 114, 178);
pub(super) const RED: RGBColor = RGBColor(213, 94, 0);
/// The colours of series, of which also those tell each pair apart who see no red or no green (Okabe and Ito).
pub(super) const SERIES: [RGBColor; 7] = [
    BLUE,
    RED,
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(70, 70, 70),
];
pub(super) const GRID: RGBColor = RGBColor(215, 219, 224);
pub(super) const FONT: &str = "sans-serif";

pub(super) const TITLE: u32 = 22;
pub(super) const NAME: u32 = 16;
pub(super) const LABEL: u32 = 14;
/// The width of most letters, as a share of the size of the font.
const LETTER: f64 = 0.47;

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(super) type FigureError = DrawingAreaErrorKind<std::io::Error>;

/// Draws on a white sheet of `size` pixels, which is called `name` where it is read out.
pub(super) fn sheet(
    size: (u32, u32),
    name: &str,
    draw: impl FnOnce(&Area<'_>, &mut Hovers) -> Result<(), FigureError>,
) -> Result<String> {
    let (mut svg, mut hovers) = (String::new(), Hovers::default());
    let drawn = (|| {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        area.fill(&WHITE)?;
        draw(&area, &mut hovers)?;
        area.present()
    })();
    drawn.map_err(|error: FigureError| Error::Figure { reason: error.to_string() })?;
    let name = format!("<svg role=\"img\" aria-label=\"{}\" ", escaped(&brief(name)));
    svg = svg.replacen("<svg ", &name, 1);
    if let Some(end) = svg.rfind("</svg>") {
        svg.insert_str(end, &hovers.to_svg());
    }
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

pub(super) fn text(size: u32) -> TextStyle<'static> {
    TextStyle::from((FONT, size))
}

/// A text that reads from bottom to top.
pub(super) fn sideways(size: u32) -> TextStyle<'static> {
    TextStyle::from((FONT, size).into_font().transform(FontTransform::Rotate270))
}

/// The width of a text in pixels, of most letters a little too large; of a text that no sheet has room for, that of
/// its beginning.
pub(super) fn width(text: &str, size: u32) -> u32 {
    const LETTERS: usize = 5000;
    let text = text.char_indices().nth(LETTERS).map_or(text, |(end, _)| &text[..end]);
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
