//! The title of a figure, on up to two lines.

use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::sheet::{Area, FigureError, TITLE, cut, text, width};

/// The height of a title of one line, with the blank around it.
pub(super) const TITLE_HEIGHT: u32 = 40;
const LINE: u32 = 24;
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
    let style = text(TITLE).pos(Pos::new(HPos::Center, VPos::Center));
    for (place, line) in lines(title, width).iter().enumerate() {
        let y = TITLE_HEIGHT / 2 + LINE * place as u32;
        head.draw_text(line, &style, (width as i32 / 2, y as i32))?;
    }
    Ok(rest)
}

/// The title as a line, or as two if it is longer than one.
fn lines(title: &str, room: u32) -> Vec<String> {
    let room = room.saturating_sub(BESIDE);
    if width(title, TITLE) <= room {
        return vec![title.to_owned()];
    }
    let fits = |&(end, _): &(usize, &str)| width(&title[..end], TITLE) <= room;
    let end = title.match_indices(char::is_whitespace).take_while(fits).last();
    match end {
        Some((end, blank)) => {
            let rest = cut(&title[end + blank.len()..], room, TITLE);
            vec![title[..end].to_owned(), rest]
        }
        None => vec![cut(title, room, TITLE)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_title_is_broken_between_words_and_cut_on_its_second_line() {
        assert_eq!(lines("short", 400), ["short"]);
        assert_eq!(lines("nine words of four letters", 200), ["nine words of", "four letters"]);
        let long = lines(&"word ".repeat(40), 200);
        assert_eq!(long[0], "word word word");
        assert!(long[1].starts_with("word word") && long[1].ends_with('…') && long.len() == 2);
        assert!(matches!(&lines(&"w".repeat(50), 200)[..], [one] if one.ends_with('…')));
    }
}
