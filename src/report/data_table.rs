//! Tables of numbers, which are rounded only where people read them.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};
use unicode_width::UnicodeWidthStr;

use super::{Align, Table, write_csv};
use crate::error::{AnalysisError, Error, Result};

/// Columns of text and their widest line.
const WIDTH: usize = 80;
/// Columns of a [`Table`] stand so far apart.
const GAP: usize = 2;
/// No number has more digits that say something; formatting more than 65,535 would panic.
const MOST_DIGITS: usize = 17;

/// A table that keeps its numbers: rounded on the terminal and in a [report](super::Report), whole in CSV and JSON.
///
/// Its `Display` is at most 80 columns wide where its cells allow that: a wider table is split, with the first column
/// before each part.
///
/// ```
/// use hooked_gpt2::report::{Column, DataTable};
///
/// let columns = [Column::integer("layer"), Column::number("loss", 2), Column::signed("change", 2)];
/// let mut table = DataTable::new("by_layer", columns);
/// table.row([0.into(), 3.14159.into(), (-0.001).into()])?;
/// assert_eq!(table.to_string(), "layer  loss  change\n    0  3.14    0.00\n");
///
/// let mut csv = Vec::new();
/// table.write_csv(&mut csv)?;
/// assert_eq!(String::from_utf8(csv)?, "layer,loss,change\n0,3.14159,-0.001\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct DataTable {
    name: String,
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

/// A table as a file has it, before its rows are checked.
#[derive(Deserialize)]
struct Saved {
    name: String,
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl TryFrom<Saved> for DataTable {
    type Error = Error;

    fn try_from(saved: Saved) -> Result<Self> {
        let mut table = Self::new(saved.name, saved.columns);
        for row in saved.rows {
            table.row(row)?;
        }
        Ok(table)
    }
}

/// A column of a [`DataTable`]: its heading, and how its cells are shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    name: String,
    #[serde(flatten)]
    shown: Shown,
}

/// How the numbers of a column are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "shown", rename_all = "snake_case")]
enum Shown {
    Text,
    Integer,
    Number { digits: usize },
    Signed { digits: usize },
    Percent { digits: usize },
    Significant { digits: usize },
}

/// A cell of a [`DataTable`], made `from` a number, a text, or an `Option` of either.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Cell {
    /// Nothing to show: what is undefined, or does not apply.
    Missing,
    /// A number.
    Number(f64),
    /// Words.
    Text(String),
}

impl Column {
    /// Words, on the left.
    pub fn text(name: impl Into<String>) -> Self {
        Self { name: name.into(), shown: Shown::Text }
    }

    /// Whole numbers.
    pub fn integer(name: impl Into<String>) -> Self {
        Self { name: name.into(), shown: Shown::Integer }
    }

    /// Numbers with so many digits behind the point.
    pub fn number(name: impl Into<String>, digits: usize) -> Self {
        Self { name: name.into(), shown: Shown::Number { digits } }
    }

    /// The same with a sign, of changes.
    pub fn signed(name: impl Into<String>, digits: usize) -> Self {
        Self { name: name.into(), shown: Shown::Signed { digits } }
    }

    /// Shares of one, as per cent.
    pub fn percent(name: impl Into<String>, digits: usize) -> Self {
        Self { name: name.into(), shown: Shown::Percent { digits } }
    }

    /// Numbers of any size, with so many digits that say something, such as p-values.
    pub fn significant(name: impl Into<String>, digits: usize) -> Self {
        Self { name: name.into(), shown: Shown::Significant { digits } }
    }

    /// The heading.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The side on which its cells stand.
    pub fn align(&self) -> Align {
        match self.shown {
            Shown::Text => Align::Left,
            _ => Align::Right,
        }
    }
}

impl DataTable {
    /// A table without rows. Its name is that of its file.
    pub fn new(name: impl Into<String>, columns: impl IntoIterator<Item = Column>) -> Self {
        Self { name: name.into(), columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// [`LengthMismatch`](AnalysisError::LengthMismatch) unless there is a cell for each column.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) -> Result<&mut Self> {
        let cells: Vec<Cell> = cells.into_iter().collect();
        if cells.len() != self.columns.len() {
            let (left, right) = (cells.len(), self.columns.len());
            return Err(
                AnalysisError::LengthMismatch { statistic: "DataTable", left, right }.into()
            );
        }
        self.rows.push(cells);
        Ok(self)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its columns.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Its rows, a cell for each column.
    pub fn rows(&self) -> &[Vec<Cell>] {
        &self.rows
    }

    /// Writes it as CSV, numbers with all their digits; what is missing is empty.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_csv(&self, out: impl io::Write) -> io::Result<()> {
        let rows = self.rows.iter().map(|row| row.iter().map(Cell::to_string));
        write_csv(out, self.columns.iter().map(Column::name), rows)
    }

    /// A cell of a row as people read it.
    pub(super) fn shown(&self, row: &[Cell], column: usize) -> String {
        match (&row[column], self.columns[column].shown) {
            (Cell::Missing, _) => "–".to_owned(),
            (Cell::Text(words), _) => words.clone(),
            (Cell::Number(number), shown) => shown.of(*number),
        }
    }
}

impl Shown {
    fn of(self, number: f64) -> String {
        let text = match self {
            _ if !number.is_finite() => return number.to_string(),
            Self::Text => number.to_string(),
            Self::Integer => format!("{number:.0}"),
            Self::Number { digits } => format!("{number:.*}", digits.min(MOST_DIGITS)),
            Self::Signed { digits } => format!("{number:+.*}", digits.min(MOST_DIGITS)),
            Self::Percent { digits } => {
                format!("{:.*} %", digits.min(MOST_DIGITS), 100.0 * number)
            }
            Self::Significant { digits } => significant(number, digits),
        };
        // Less than nothing, and nothing with a sign, are nothing once they are rounded.
        let is_nothing = !text.contains(|letter: char| ('1'..='9').contains(&letter));
        if is_nothing { text.trim_start_matches(['-', '+']).to_owned() } else { text }
    }
}

/// `0.0123`, `1.5e-7`: as few letters as show these digits.
fn significant(number: f64, digits: usize) -> String {
    let digits = digits.clamp(1, MOST_DIGITS);
    let exponent = format!("{number:.*e}", digits - 1);
    let power: i32 =
        exponent.split_once('e').and_then(|(_, power)| power.parse().ok()).unwrap_or(0);
    match power {
        -4..=-1 => format!("{number:.*}", digits - 1 + power.unsigned_abs() as usize),
        0..=6 => format!("{number:.*}", (digits - 1).saturating_sub(power as usize)),
        _ => exponent,
    }
}

impl fmt::Display for DataTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|column| {
                let cells = self.rows.iter().map(|row| self.shown(row, column).width());
                cells.chain([self.columns[column].name.width()]).max().unwrap_or(0)
            })
            .collect();
        let first = widths.first().copied().unwrap_or(0);
        let mut from = 1;
        loop {
            // At least one beside the first, however wide.
            let (mut to, mut width) = (from, first);
            while to < widths.len() && (to == from || width + GAP + widths[to] <= WIDTH) {
                width += GAP + widths[to];
                to += 1;
            }
            if from > 1 {
                writeln!(f)?;
            }
            write!(f, "{}", self.part(from..to))?;
            from = to;
            if from >= widths.len() {
                return Ok(());
            }
        }
    }
}

impl DataTable {
    /// The first column and some others.
    fn part(&self, others: std::ops::Range<usize>) -> Table {
        let columns = || (0..self.columns.len().min(1)).chain(others.clone());
        let mut table = Table::new(columns().map(|column| {
            let column = &self.columns[column];
            (column.name.clone(), column.align())
        }));
        for row in &self.rows {
            table.row(columns().map(|column| self.shown(row, column)));
        }
        table
    }
}

/// All digits of a number; of what is missing nothing.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => Ok(()),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(words) => f.write_str(words),
        }
    }
}

impl From<f64> for Cell {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<usize> for Cell {
    fn from(number: usize) -> Self {
        Self::Number(number as f64)
    }
}

impl From<i32> for Cell {
    fn from(number: i32) -> Self {
        Self::Number(number.into())
    }
}

impl From<&str> for Cell {
    fn from(words: &str) -> Self {
        Self::Text(words.to_owned())
    }
}

impl From<String> for Cell {
    fn from(words: String) -> Self {
        Self::Text(words)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(cell: Option<T>) -> Self {
        cell.map_or(Self::Missing, T::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(column: Column, number: f64) -> String {
        let mut table = DataTable::new("t", [column]);
        table.row([number.into()]).unwrap();
        table.shown(&table.rows[0], 0)
    }

    #[test]
    fn numbers_are_rounded_as_their_column_says() {
        for (column, number, expected) in [
            (Column::number("x", 2), -0.004, "0.00"),
            (Column::number("x", 2), -0.006, "-0.01"),
            (Column::signed("x", 1), 0.04, "0.0"),
            (Column::signed("x", 1), 12.34, "+12.3"),
            (Column::percent("x", 1), 0.98765, "98.8 %"),
            (Column::percent("x", 0), -0.001, "0 %"),
            (Column::integer("x"), 12.0, "12"),
            (Column::significant("x", 2), 0.0123, "0.012"),
            (Column::significant("x", 2), 1.54e-7, "1.5e-7"),
            (Column::significant("x", 3), 123456.0, "123456"),
            (Column::significant("x", 3), 1.0, "1.00"),
            (Column::significant("x", 3), 0.0, "0.00"),
            (Column::number("x", 3), f64::INFINITY, "inf"),
            (Column::number("x", 3), f64::NAN, "NaN"),
        ] {
            assert_eq!(shown(column.clone(), number), expected, "{column:?} of {number}");
        }
    }

    #[test]
    fn a_wide_table_is_split_with_its_first_column_before_each_part() {
        let columns = (0..30).map(|column| Column::number(format!("head {column}"), 3));
        let mut table = DataTable::new("t", [Column::integer("layer")].into_iter().chain(columns));
        for layer in 0..2 {
            let cells = (0..30).map(|head| Cell::from(f64::from(layer * 100 + head)));
            table.row([layer.into()].into_iter().chain(cells)).unwrap();
        }
        let text = table.to_string();
        assert!(text.lines().all(|line| line.width() <= 80), "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with("layer")).count(), 4, "{text}");
        for head in 0..30 {
            assert_eq!(text.matches(&format!("{:.3}", 100.0 + f64::from(head))).count(), 1);
        }
    }

    #[test]
    fn a_table_comes_back_from_json_and_what_is_not_finite_is_missing() {
        let mut table = DataTable::new("t", [Column::text("token"), Column::number("loss", 2)]);
        table.row([" the".into(), 0.1.into()]).unwrap();
        table.row(["\n".into(), None::<f64>.into()]).unwrap();
        let json = serde_json::to_string(&table).unwrap();
        assert_eq!(serde_json::from_str::<DataTable>(&json).unwrap(), table);

        table.row(["x".into(), f64::NAN.into()]).unwrap();
        let json = serde_json::to_string(&table).unwrap();
        let back: DataTable = serde_json::from_str(&json).unwrap();
        assert_eq!(back.rows()[2][1], Cell::Missing);
    }

    #[test]
    fn a_file_whose_rows_do_not_fit_and_digits_without_end_are_answered() {
        let json =
            r#"{"name": "t", "columns": [{"name": "x", "shown": "text"}], "rows": [["a", "b"]]}"#;
        let error = serde_json::from_str::<DataTable>(json).unwrap_err();
        assert!(error.to_string().contains('2'), "{error}");
        for column in [Column::number, Column::signed, Column::percent, Column::significant] {
            assert!(shown(column("x".to_owned(), usize::MAX), 1.5).contains("50"));
        }
    }

    #[test]
    fn a_row_of_another_length_is_refused() {
        let mut table = DataTable::new("t", [Column::text("token")]);
        let error = table.row([1.into(), 2.into()]).unwrap_err();
        assert!(error.to_string().contains('2') && error.to_string().contains('1'), "{error}");
    }
}
