//! The labels of an index, below what they label.

use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::sheet::{Area, FigureError, LABEL, cut, sideways, text, width};

pub(super) const LONGEST_LABEL: u32 = 180;
/// Labels up to this width lie, some left out if need be; wider ones stand on end where they have no room.
const SHORT: u32 = 28;
/// What a label that stands on end takes of the index.
pub(super) const LINE: u32 = 16;

/// Labels of an index whose entries lie so many pixels apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Labels<'a> {
    labels: &'a [String],
    apart: f64,
    widest: u32,
}

impl<'a> Labels<'a> {
    pub fn of(labels: &'a [String], apart: f64) -> Self {
        Self { labels, apart, widest: widest(labels) }
    }

    fn lie(&self) -> bool {
        self.widest <= SHORT || f64::from(self.widest + 6) <= self.apart
    }

    /// The pixels from the top of the labels to their end.
    pub fn height(&self) -> u32 {
        if self.lie() { LABEL } else { self.widest }
    }

    /// Writes as many as there is room for, the first one always; its middle is at `first`.
    pub fn draw(&self, area: &Area<'_>, first: f64, top: i32) -> Result<(), FigureError> {
        let (style, each) = if self.lie() {
            (text(LABEL).pos(Pos::new(HPos::Center, VPos::Top)), self.widest + 6)
        } else {
            (sideways(LABEL).pos(Pos::new(HPos::Right, VPos::Center)), LINE)
        };
        let step = (f64::from(each) / self.apart).ceil().max(1.0) as usize;
        for (entry, label) in self.labels.iter().enumerate().step_by(step) {
            let x = first + entry as f64 * self.apart;
            area.draw_text(&cut(label, LONGEST_LABEL, LABEL), &style, (x.round() as i32, top))?;
        }
        Ok(())
    }
}

/// The pixels that the widest label takes.
pub(super) fn widest(labels: &[String]) -> u32 {
    let widths = labels.iter().map(|label| width(label, LABEL));
    widths.max().unwrap_or(0).min(LONGEST_LABEL)
}
