//! How far two reports of one experiment lie apart.

use std::fmt;

use super::{Cell, DataTable, Part, Report};

/// How far two reports of one experiment lie apart: [`Report::difference`].
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct ReportDifference {
    /// Numbers that both have.
    pub numbers: usize,
    /// The largest absolute difference of two of them.
    pub largest: f64,
    /// Where that is: the table, its row and its column.
    pub largest_at: Option<String>,
    /// What else is not the same: facts, verdicts, words, tables of another shape.
    pub others: Vec<String>,
}

impl Report {
    /// Compares the tables of two reports number by number, and all else word by word.
    pub fn difference(&self, other: &Self) -> ReportDifference {
        let mut found = ReportDifference::default();
        let facts = |report: &Self| {
            report
                .facts
                .iter()
                .map(|fact| (fact.name.clone(), fact.value.clone()))
                .collect::<Vec<_>>()
        };
        for (name, value) in facts(self) {
            let there = other.facts.iter().find(|fact| fact.name == name);
            if there.is_none_or(|fact| fact.value != value) {
                let there = there.map_or("missing", |fact| &fact.value);
                found.others.push(format!("{name}: {value:?} and {there:?}"));
            }
        }
        if self.parts.len() != other.parts.len() {
            found.others.push(format!("{} and {} parts", self.parts.len(), other.parts.len()));
        }
        for (number, (ours, theirs)) in self.parts.iter().zip(&other.parts).enumerate() {
            match (ours, theirs) {
                (Part::Table { table, .. }, Part::Table { table: other, .. }) => {
                    found.compare(table, other);
                }
                (Part::Claim(claim), Part::Claim(other)) if claim.verdict != other.verdict => {
                    let (ours, theirs) = (claim.verdict, other.verdict);
                    found.others.push(format!("{:?}: {ours} and {theirs}", claim.claim));
                }
                (Part::Claim(_), Part::Claim(_)) => {}
                (Part::Text { text }, Part::Text { text: other }) if text != other => {
                    found.others.push(format!("{text:?} and {other:?}"));
                }
                (ours, theirs)
                    if std::mem::discriminant(ours) != std::mem::discriminant(theirs) =>
                {
                    found.others.push(format!("part {number} is of another kind"));
                }
                _ => {}
            }
        }
        found
    }
}

impl ReportDifference {
    fn compare(&mut self, ours: &DataTable, theirs: &DataTable) {
        let name = ours.name();
        if ours.columns() != theirs.columns() || ours.rows().len() != theirs.rows().len() {
            self.others.push(format!("table {name}: other columns, or another number of rows"));
            return;
        }
        for (row, (ours_row, theirs_row)) in ours.rows().iter().zip(theirs.rows()).enumerate() {
            for (column, pair) in ours_row.iter().zip(theirs_row).enumerate() {
                let place =
                    || format!("table {name}, row {row}, {}", ours.columns()[column].name());
                match pair {
                    (Cell::Number(a), Cell::Number(b)) => {
                        self.numbers += 1;
                        let difference = (a - b).abs();
                        if difference > self.largest {
                            (self.largest, self.largest_at) = (difference, Some(place()));
                        }
                    }
                    (a, b) if a == b => {}
                    (a, b) => self.others.push(format!("{}: {a:?} and {b:?}", place())),
                }
            }
        }
    }

    /// Whether all is the same, and no number further apart than this.
    pub fn is_within(&self, tolerance: f64) -> bool {
        self.others.is_empty() && self.largest <= tolerance
    }
}

impl fmt::Display for ReportDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.largest_at {
            None => writeln!(f, "{} numbers, all the same", self.numbers)?,
            Some(place) => writeln!(
                f,
                "{} numbers, at most {:.1e} apart ({place})",
                self.numbers, self.largest
            )?,
        }
        self.others.iter().try_for_each(|other| writeln!(f, "not the same: {other}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Column;
    use super::*;
    use crate::experiment::Verdict;

    fn report(loss: f64, verdict: Verdict, model: &str) -> Report {
        let mut report = Report::new("r", "R", "?");
        report.fact("model", model);
        let mut table = DataTable::new("t", [Column::text("token"), Column::number("loss", 2)]);
        table.row(["a".into(), 1.0.into()]).unwrap().row(["b".into(), loss.into()]).unwrap();
        report.table("A table", table).claim("It is so", verdict, "why");
        report
    }

    #[test]
    fn a_report_read_back_from_its_json_is_no_different() {
        let report = report(0.1 + 0.2, Verdict::Holds, "bundled");
        let json = serde_json::to_string(&report).unwrap();
        let back: Report = serde_json::from_str(&json).unwrap();
        let found = report.difference(&back);
        assert_eq!((found.numbers, found.largest, found.others.len()), (2, 0.0, 0));
        assert!(found.is_within(0.0));
    }

    #[test]
    fn the_largest_difference_is_found_and_so_are_other_words() {
        let ours = report(2.0, Verdict::Holds, "bundled");
        let found = ours.difference(&report(2.5, Verdict::DoesNotHold, "gpt2"));
        assert_eq!(found.largest, 0.5);
        assert_eq!(found.largest_at.as_deref(), Some("table t, row 1, loss"));
        assert_eq!(found.others.len(), 2, "{found}");
        assert!(!found.is_within(1.0));
        assert!(ours.difference(&report(2.5, Verdict::Holds, "bundled")).is_within(0.5));
    }
}
