//! The logit lens as text.

use std::fmt;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The likeliest token of each place and position, and its probability: a row for each place, a column for each position,
/// under the tokens of the text.
///
/// It is 80 columns wide at most. Of a text that is too long for that it shows the last positions, and says so below.
/// Tokens are quoted, as `{:?}` prints them, and cut to nine columns.
#[derive(Debug, Clone)]
pub struct LensTable {
    /// The headings, then a row for each place; the first cell of each is its label.
    rows: Vec<Vec<String>>,
}

/// What a terminal shows of a line.
const WIDTH: usize = 80;
/// The blanks between two columns.
const APART: usize = 2;
/// The most that a token takes, quotes included.
const TOKEN: usize = 9;

impl LensTable {
    pub(super) fn new(rows: Vec<Vec<String>>) -> Self {
        Self { rows }
    }

    /// How wide each column is.
    fn widths(&self) -> Vec<usize> {
        let n_columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width =
            |column: usize| self.rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
        (0..n_columns).map(width).collect()
    }
}

impl fmt::Display for LensTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        let Some((label, positions)) = widths.split_first() else { return Ok(()) };
        let mut left = WIDTH.saturating_sub(*label);
        let shown = positions.iter().rev().take_while(|&&width| {
            let fits = width + APART <= left;
            left = left.saturating_sub(width + APART);
            fits
        });
        let first = positions.len() - shown.count();
        for row in &self.rows {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                if column == 0 || column > first {
                    line.push_str(cell);
                    line.push_str(&" ".repeat(width - cell.width() + APART));
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        match first {
            0 => Ok(()),
            _ => writeln!(
                f,
                "not shown: the first {first} of {} positions; `at` chooses",
                positions.len()
            ),
        }
    }
}

/// A token as the table shows it.
pub(super) fn quoted(piece: &str) -> String {
    let quoted = format!("{piece:?}");
    if quoted.width() <= TOKEN {
        return quoted;
    }
    let (mut cut, mut left) = (String::new(), TOKEN - "…\"".width());
    for letter in quoted.chars() {
        let width = letter.width().unwrap_or(0);
        if width > left {
            break;
        }
        left -= width;
        cut.push(letter);
    }
    cut + "…\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_cut_to_nine_columns_of_text() {
        for (piece, shown) in [
            (" happy", "\" happy\""),
            (" morning", "\" morni…\""),
            ("\n\n", "\"\\n\\n\""),
            ("日本語日本語", "\"日本語…\""),
            ("", "\"\""),
        ] {
            assert_eq!(quoted(piece), shown);
            assert!(quoted(piece).width() <= TOKEN);
        }
    }

    #[test]
    fn what_does_not_fit_into_80_columns_is_said_and_the_last_positions_are_shown() {
        let row = |label: &str, cell: &str, n: usize| {
            let cells = (0..n).map(|position| format!("{position} {cell}"));
            [label.to_owned()].into_iter().chain(cells).collect::<Vec<_>>()
        };
        let table =
            |n| LensTable::new(vec![row("", "\"日本\"", n), row("0.resid_pre", "\"a\" 0.10", n)]);
        // 11 columns for the label, 2 and 10 for each of the positions.
        let fits = table(5).to_string();
        assert_eq!(fits.lines().map(UnicodeWidthStr::width).max(), Some(11 + 5 * 12));
        assert_eq!(fits.lines().count(), 2);
        let cut = table(7).to_string();
        let lines: Vec<&str> = cut.lines().collect();
        assert!(
            lines[1].starts_with("0.resid_pre  2 \"a\" 0.10  3 \"a\"")
                && lines[1].ends_with("6 \"a\" 0.10")
        );
        assert_eq!(lines[2], "not shown: the first 2 of 7 positions; `at` chooses");
        // A column that is as wide as is left fits, and one that is wider does not.
        let exact = LensTable::new(vec![vec![String::new(), "x".repeat(78)]]).to_string();
        assert_eq!(exact.lines().count(), 1);
        let wide = LensTable::new(vec![vec![String::new(), "x".repeat(79)]]).to_string();
        assert_eq!(
            wide.lines().last(),
            Some("not shown: the first 1 of 1 positions; `at` chooses")
        );
    }
}
