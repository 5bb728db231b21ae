//! Comma-separated values, quoted where a label needs it (RFC 4180).

use std::io::{self, Write};

use csv::Writer;
use ndarray::ArrayViewD;

use crate::error::AnalysisError;

/// Writes a line of headings and a line for each row. Cells with commas, quotes or line breaks are quoted.
///
/// ```
/// let mut out = Vec::new();
/// let rows = [[" curious".to_owned(), 0.5.to_string()], ["a, \"b\"".to_owned(), 2.0.to_string()]];
/// hooked_gpt2::report::write_csv(&mut out, ["token", "loss"], rows)?;
/// assert_eq!(String::from_utf8(out)?, "token,loss\n curious,0.5\n\"a, \"\"b\"\"\",2\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of `out`, and `InvalidData` for a row that has not a cell for each heading.
pub fn write_csv<'h, R>(
    out: impl Write,
    headings: impl IntoIterator<Item = &'h str>,
    rows: impl IntoIterator<Item = R>,
) -> io::Result<()>
where
    R: IntoIterator<Item: AsRef<[u8]>>,
{
    let mut writer = Writer::from_writer(out);
    writer.write_record(headings).map_err(io_error)?;
    for row in rows {
        writer.write_record(row).map_err(io_error)?;
    }
    writer.flush()
}

fn io_error(error: csv::Error) -> io::Error {
    if error.is_io_error() {
        error.into()
    } else {
        io::Error::new(io::ErrorKind::InvalidData, error)
    }
}

/// Writes a grid of values, one to a line: a label of each axis, then the value, the last axis fastest. What is
/// not a number stands as `NaN`.
///
/// # Shapes
/// - values: as many entries along each axis as it has labels
///
/// # Errors
/// Those of `out`, and `InvalidInput` for an axis that has not a label for each of its entries.
pub fn write_csv_grid(
    out: impl Write,
    axes: &[(&str, &[String])],
    quantity: &str,
    values: ArrayViewD<'_, f64>,
) -> io::Result<()> {
    let labels: Vec<usize> = axes.iter().map(|(_, labels)| labels.len()).collect();
    if labels != values.shape() {
        let (left, right) = (labels.iter().product(), values.len());
        let mismatch = AnalysisError::LengthMismatch { statistic: "write_csv_grid", left, right };
        return Err(io::Error::new(io::ErrorKind::InvalidInput, mismatch));
    }
    let headings = axes.iter().map(|&(name, _)| name).chain([quantity]);
    let rows = values.indexed_iter().map(|(index, value)| {
        let mut row: Vec<String> = axes
            .iter()
            .enumerate()
            .map(|(axis, (_, labels))| labels[index[axis]].clone())
            .collect();
        row.push(value.to_string());
        row
    });
    write_csv(out, headings, rows)
}
