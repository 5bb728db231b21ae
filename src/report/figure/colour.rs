//! Colours that stand for values, and the scales that say for which.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::{Axis, is_drawable};
use super::sheet::{Area, FigureError, GREY, LABEL, text};

const MOST: RGBColor = RGBColor(178, 24, 43);
const LEAST: RGBColor = RGBColor(33, 102, 172);
/// Not the blue of series, so that a style for those leaves it alone.
const WHOLE: RGBColor = RGBColor(8, 81, 156);
const MISSING: RGBColor = RGBColor(225, 225, 225);
/// On light cells. Not quite black, so that a style for the words around the cells leaves it alone.
const DARK_INK: RGBColor = RGBColor(20, 20, 20);
const STEPS: usize = 64;
/// The room that a scale takes beside a figure.
pub(super) const SCALE: u32 = 110;

/// A colour for each value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Colours {
    /// Blue below zero, red above; full where the magnitude is the bound.
    Diverging { bound: f64 },
    /// From white at 0 to blue at 1.
    Shares,
}

impl Colours {
    fn range(self) -> (f64, f64) {
        match self {
            Self::Diverging { bound } => (-bound, bound),
            Self::Shares => (0.0, 1.0),
        }
    }

    pub fn of(self, value: f64) -> RGBColor {
        if !is_drawable(value) {
            return MISSING;
        }
        let (share, full) = match self {
            Self::Diverging { bound } if value < 0.0 => (-value / bound, LEAST),
            Self::Diverging { bound } => (value / bound, MOST),
            Self::Shares => (value, WHOLE),
        };
        let share = share.clamp(0.0, 1.0);
        let mix = |channel: u8| (255.0 + (f64::from(channel) - 255.0) * share).round() as u8;
        RGBColor(mix(full.0), mix(full.1), mix(full.2))
    }

    /// Draws the colours, and what they stand for.
    ///
    /// A tip above or below says that there are values `beyond` the end.
    pub fn draw_scale(
        self,
        area: &Area<'_>,
        (left, top): (i32, i32),
        height: u32,
        beyond: (bool, bool),
    ) -> Result<(), FigureError> {
        const WIDTH: i32 = 22;
        const TIP: i32 = 8;
        let (low, high) = self.range();
        let height = f64::from(height);
        let y = |value: f64| top + (height * (high - value) / (high - low)).round() as i32;
        for step in 0..STEPS {
            let value = |step: f64| low + (high - low) * step / STEPS as f64;
            let (begin, end) = (value(step as f64), value(step as f64 + 1.0));
            let corners = [(left, y(end)), (left + WIDTH, y(begin))];
            let colour = self.of(value(step as f64 + 0.5));
            area.draw(&Rectangle::new(corners, colour.filled()))?;
        }
        for (is_beyond, end, tip) in [(beyond.0, low, TIP), (beyond.1, high, -TIP)] {
            if is_beyond {
                let base = [(left, y(end)), (left + WIDTH, y(end))];
                let corners = [base[0], base[1], (left + WIDTH / 2, y(end) + tip)];
                area.draw(&Polygon::new(corners, self.of(end).filled()))?;
            }
        }
        let frame = [(left, y(high)), (left + WIDTH, y(low))];
        area.draw(&Rectangle::new(frame, GREY))?;
        let axis = Axis::new(low..high, 5);
        let style = text(LABEL).pos(Pos::new(HPos::Left, VPos::Center));
        for tick in axis.ticks() {
            let line = [(left + WIDTH, y(tick)), (left + WIDTH + 4, y(tick))];
            area.draw(&PathElement::new(line, GREY))?;
            area.draw_text(&axis.label(tick), &style, (left + WIDTH + 8, y(tick)))?;
        }
        Ok(())
    }
}

/// The colour of what is written on another.
pub(super) fn ink(background: RGBColor) -> RGBColor {
    let RGBColor(red, green, blue) = background;
    let light = 0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue);
    if light < 140.0 { WHITE } else { DARK_INK }
}
