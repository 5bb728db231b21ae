//! The title of a figure, on up to three lines.

use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::sheet::{Area, FigureError, TITLE, cut, text, width};

/// The height of a title of one line, with the blank around it.
pub(super) const TITLE_HEIGHT: u32 = 40;
const LINE: u32 = 24;
const MOST_LINES: usize = 3;
/// The blank on either side, together.
const BESIDE: u32 = 16;

/// The height that a title takes on a sheet so wide.
pub(super) fn title_height(title: &str, width: u32) -> u32 {
    TITLE_HEIGHT + LINE * (lines(title, width).len() as u32 - 1)
}

/// Writes a title over the area, and gives what is left below it.
pub(super) fn titled<'a>(area: &Area<'a>, title: &str) -> Result<Area<'a>, FigureError> {
    let (width, _) = area.dim_in_pixel();
    let (head, rest) = area.split_vertically(title_height(title, width));
    draw_title(&head, title, HPos::Center, width as i32 / 2)?;
    Ok(rest)
}

/// Writes a title at the top of an area; its lines have their left ends or their middles at `x`.
pub(super) fn draw_title(
    area: &Area<'_>,
    title: &str,
    place: HPos,
    x: i32,
) -> Result<(), FigureError> {
    let style = text(TITLE).pos(Pos::new(place, VPos::Center));
    for (number, line) in lines(title, area.dim_in_pixel().0).iter().enumerate() {
        let y = TITLE_HEIGHT / 2 + LINE * number as u32;
        area.draw_text(line, &style, (x, y as i32))?;
    }
    Ok(())
}

/// The title as a line, or as several if it is longer than one.
fn lines(title: &str, room: u32) -> Vec<String> {
    let room = room.saturating_sub(BESIDE);
    let (mut lines, mut rest) = (Vec::new(), title);
    while lines.len() + 1 < MOST_LINES && width(rest, TITLE) > room {
        let blanks = rest.match_indices(char::is_whitespace);
        let fits = |&(end, _): &(usize, &str)| width(&rest[..end], TITLE) <= room;
        let Some((end, blank)) = blanks.take_while(fits).last() else { break };
        lines.push(rest[..end].to_owned());
        rest = &rest[end + blank.len()..];
    }
    lines.push(cut(rest, room, TITLE));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_title_is_broken_between_words_and_cut_on_its_last_line() {
        assert_eq!(lines("short", 400), ["short"]);
        assert_eq!(lines("nine words of four letters", 200), ["nine words of", "four letters"]);
        let long = lines(&"word ".repeat(40), 200);
        assert_eq!(long[..2], ["word word word", "word word word"]);
        assert!(long[2].starts_with("word word") && long[2].ends_with('…') && long.len() == 3);
        assert!(matches!(&lines(&"w".repeat(50), 200)[..], [one] if one.ends_with('…')));
    }
}
