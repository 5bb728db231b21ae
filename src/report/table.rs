//! Tables as aligned text.

use std::fmt;

use unicode_width::UnicodeWidthStr;

/// The side of its column on which a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows of cells under headings; its `Display` aligns the columns.
///
/// Columns are as wide as their widest cell and stand two spaces apart. A cell beyond the headings stands on
/// the left of a column without one. A cell is one line: control characters are written as escapes.
///
/// ```
/// use hooked_gpt2::report::{Align, Table};
///
/// let mut table = Table::new([("layer", Align::Right), ("best token", Align::Left)]);
/// table.row(["0", "\" a\""]).row(["10", "\" curious\""]);
/// let lines = ["layer  best token", "    0  \" a\"", "   10  \" curious\"", ""];
/// assert_eq!(table.to_string(), lines.join("\n"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    alignments: Vec<Align>,
    /// The headings, then the rows.
    lines: Vec<Vec<String>>,
    indent: usize,
}

impl Table {
    /// A table without rows.
    pub fn new<H: ToString>(columns: impl IntoIterator<Item = (H, Align)>) -> Self {
        let (headings, alignments) =
            columns.into_iter().map(|(heading, align)| (one_line(&heading), align)).unzip();
        Self { alignments, lines: vec![headings], indent: 0 }
    }

    /// Moves the table this many columns of text to the right, up to 1000.
    pub fn indented(mut self, by: usize) -> Self {
        self.indent = by.min(1000);
        self
    }

    /// Adds a row.
    pub fn row<C: ToString>(&mut self, cells: impl IntoIterator<Item = C>) -> &mut Self {
        self.lines.push(cells.into_iter().map(|cell| one_line(&cell)).collect());
        self
    }

    fn widths(&self) -> Vec<usize> {
        let n_columns = self.lines.iter().map(Vec::len).max().unwrap_or(0);
        let cells = |column| self.lines.iter().filter_map(move |line: &Vec<_>| line.get(column));
        let width = |column| cells(column).map(|cell: &String| cell.width()).max().unwrap_or(0);
        (0..n_columns).map(width).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        for line in &self.lines {
            let mut text = " ".repeat(self.indent);
            for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
                let blanks = " ".repeat(width - cell.width());
                match self.alignments.get(column) {
                    Some(Align::Right) => text.extend([&*blanks, cell]),
                    Some(Align::Left) | None => text.extend([&**cell, &blanks]),
                }
                text.push_str("  ");
            }
            writeln!(f, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

fn one_line(cell: &impl ToString) -> String {
    let cell = cell.to_string();
    if !cell.contains(char::is_control) {
        return cell;
    }
    let escaped = |letter: char| match letter.is_control() {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    };
    cell.chars().map(escaped).collect()
}
