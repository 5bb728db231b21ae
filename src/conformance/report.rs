//! What was found.

use std::fmt;

use serde::Serialize;

use super::identity::Identity;
use super::subject::Subject;
use crate::device;

/// The identities that were checked on a model, each with its worst comparison. Serialises to JSON, and
/// prints as a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ConformanceReport {
    /// The checkpoint's name.
    pub model: String,
    /// The number format that the model computed in.
    pub precision: String,
    /// The device that it computed on.
    pub device: String,
    /// What was checked.
    pub identities: Vec<Identity>,
    /// What could not be checked here.
    pub left_out: Vec<LeftOut>,
}

/// An identity that was not checked.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LeftOut {
    /// What should hold.
    pub name: &'static str,
    /// Why it was not checked.
    pub reason: &'static str,
}

impl ConformanceReport {
    pub(super) fn new(
        subject: &Subject<'_>,
        identities: Vec<Identity>,
        left_out: Vec<LeftOut>,
    ) -> Self {
        Self {
            model: subject.checkpoint.name().to_owned(),
            precision: subject.model.precision().to_string(),
            device: device::name(subject.model.device()),
            identities,
            left_out,
        }
    }

    /// Whether every identity that was checked holds.
    pub fn holds(&self) -> bool {
        self.identities.iter().all(|identity| identity.holds)
    }
}

impl fmt::Display for ConformanceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, precision, device, identities, left_out } = self;
        writeln!(f, "{model}, {precision} on {device}")?;
        let width = identities.iter().map(|identity| identity.name.chars().count()).max();
        let width = width.unwrap_or_default();
        writeln!(f, "       {:<width$}   figure  allowed  worst at", "identity")?;
        for identity in identities {
            let Identity { name, figure, allowed, holds, worst_at, .. } = identity;
            let verdict = if *holds { "holds" } else { "FAILS" };
            let (figure, allowed) = (format!("{figure:.1e}"), allowed.to_string());
            writeln!(f, "{verdict}  {name:<width$}  {figure:>7}  {allowed:>7}  {worst_at}")?;
        }
        for LeftOut { name, reason } in left_out {
            writeln!(f, "left out: {name}: {reason}")?;
        }
        let failed = identities.iter().filter(|identity| !identity.holds).count();
        match failed {
            0 => write!(f, "all {} hold", identities.len()),
            _ => write!(f, "{failed} of {} do not hold", identities.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::identity::Bound;
    use super::super::tally::Tally;
    use super::*;

    fn report(figure: f64) -> ConformanceReport {
        let (mut first, mut second) = (Tally::new("heads add up"), Tally::new("edits are seen"));
        first.book(figure, Bound::AtMost(1e-5), "blocks.1, sequence 0");
        second.book(0.25, Bound::Above(0.0), "hook_embed");
        ConformanceReport {
            model: "a model".to_owned(),
            precision: "f32".to_owned(),
            device: "cpu".to_owned(),
            identities: vec![first.finish(), second.finish()],
            left_out: vec![LeftOut { name: "devices agree", reason: "there is one" }],
        }
    }

    #[test]
    fn the_table_is_aligned_and_says_what_holds() {
        assert!(report(2e-6).holds());
        assert_eq!(
            report(2e-6).to_string(),
            "a model, f32 on cpu\n       \
             identity         figure  allowed  worst at\n\
             holds  heads add up     2.0e-6   1.0e-5  blocks.1, sequence 0\n\
             holds  edits are seen   2.5e-1  above 0  hook_embed\n\
             left out: devices agree: there is one\n\
             all 2 hold"
        );
    }

    #[test]
    fn one_figure_that_does_not_hold_fails_the_report() {
        let report = report(2e-5);
        assert!(!report.holds());
        let table = report.to_string();
        assert!(table.contains("FAILS  heads add up     2.0e-5   1.0e-5  blocks.1"), "{table}");
        assert!(table.ends_with("1 of 2 do not hold"), "{table}");
    }

    #[test]
    fn the_json_names_figure_and_bound() {
        let json = serde_json::to_value(report(f64::NAN)).unwrap();
        assert!(json["identities"][0]["figure"].is_null());
        assert_eq!(json["identities"][0]["allowed"]["at_most"], 1e-5);
        assert_eq!(json["identities"][1]["allowed"]["above"], 0.0);
    }
}
