//! What somebody else wrote, as an error may show it.

use std::fmt::Debug;
use std::path::Path;

/// Longer texts are cut.
const LENGTH: usize = 80;
/// Longer reasons are, whoever wrote them.
const REASON: usize = 300;
/// Longer paths are: no system has them.
const PATH: usize = 4096;

/// A text of somebody else's, of a file or a hub: no more than its beginning, on one line.
pub(crate) fn shown(text: &str) -> String {
    cut(text, LENGTH)
}

/// A reason, which may have such a text in it.
pub(crate) fn shown_reason(text: &str) -> String {
    cut(text, REASON)
}

/// A path, which may have anything in it but a zero byte.
pub(crate) fn shown_path(path: &Path) -> String {
    cut(&path.to_string_lossy(), PATH)
}

/// A text or a list of somebody else's, in the form that `Debug` gives it.
pub(crate) fn shown_debug(value: &dyn Debug) -> String {
    shown(&format!("{value:?}"))
}

fn cut(text: &str, most: usize) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        let length = shown.len();
        match character {
            '\'' | '"' | '\\' => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
        if shown.len() > most {
            shown.truncate(length);
            shown.push('…');
            break;
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_short_and_moves_no_cursor() {
        assert_eq!(shown("ü 'a' \"b\" \\"), "ü 'a' \"b\" \\");
        assert_eq!(shown("\u{1b}[2J\r\n\0\u{202e}\u{9b}"), r"\u{1b}[2J\r\n\0\u{202e}\u{9b}");
        assert_eq!(shown(&"é".repeat(50)), format!("{}…", "é".repeat(40)));
        assert_eq!(shown_path(Path::new("a\nb")), r"a\nb");
        assert_eq!(shown_path(Path::new(&"p".repeat(4096))).len(), 4096);
        assert_eq!(shown_debug(&"a\n\"b\""), r#""a\n\"b\"""#);
        assert_eq!(shown_debug(&vec![1_usize; 1000]).len(), 80 + '…'.len_utf8());
        assert_eq!(shown_reason(&"\u{7}".repeat(1000)).len(), 300 + '…'.len_utf8());
    }
}
