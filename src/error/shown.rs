//! What somebody else wrote, as an error may show it.

/// Longer texts are cut.
const LENGTH: usize = 80;
/// Longer reasons are, whoever wrote them.
const REASON: usize = 300;

/// A text of somebody else's, of a file or a hub: no more than its beginning, on one line.
pub(crate) fn shown(text: &str) -> String {
    cut(text, LENGTH)
}

/// A reason, which may have such a text in it.
pub(crate) fn shown_reason(text: &str) -> String {
    cut(text, REASON)
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
        assert_eq!(shown_reason(&"\u{7}".repeat(1000)).len(), 300 + '…'.len_utf8());
    }
}
