//! Tokens as labels.

/// What is shown otherwise than by its escape: blanks, and what needs none in a label.
const PLAIN: [char; 5] = [' ', '\n', '"', '\'', '\\'];

/// A token as a label shows it: spaces as `·`, newlines as `⏎`, and what is not seen, such as control characters,
/// as its escape.
///
/// ```
/// use hooked_gpt2::report::visible;
/// assert_eq!(visible(" the"), "·the");
/// assert_eq!(visible("\n\n\t\u{200b}"), r"⏎⏎\t\u{200b}");
/// assert_eq!(visible(r#"don't "é" \n"#), r#"don't·"é"·\n"#);
/// ```
pub fn visible(token: &str) -> String {
    let mut label = String::with_capacity(token.len());
    for piece in token.split_inclusive(PLAIN) {
        let text = piece.strip_suffix(PLAIN).unwrap_or(piece);
        label.extend(text.escape_debug());
        label.push_str(match &piece[text.len()..] {
            " " => "·",
            "\n" => "⏎",
            other => other,
        });
    }
    label
}
