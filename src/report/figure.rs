//! Figures, as SVG text.

mod by_layer;
mod heat_map;
mod logits;
mod top_tokens;

pub use heat_map::{HeatMap, heat_map};
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind};
use plotters::prelude::*;

use crate::error::{Error, Result};
use crate::experiment::einstein::EinsteinReport;

/// All figures of an Einstein sweep, as file names and SVG texts: clean against scaled logits, the
/// two top tokens, loss and rank by layer.
///
/// # Errors
/// [`Error::Figure`].
pub fn einstein(report: &EinsteinReport) -> Result<[(&'static str, String); 3]> {
    Ok([
        ("logits.svg", logits::draw(report)?),
        ("top_tokens.svg", top_tokens::draw(report)?),
        ("by_layer.svg", by_layer::draw(report)?),
    ])
}

const CLEAN: RGBColor = RGBColor(90, 100, 112);
const SCALED: RGBColor = RGBColor(0, 98, 155);
const TARGET: RGBColor = RGBColor(200, 70, 30);
const FONT: &str = "sans-serif";

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws on a white sheet of `size` pixels.
fn sheet(
    size: (u32, u32),
    draw: impl FnOnce(&Area<'_>) -> Result<(), FigureError>,
) -> Result<String> {
    let mut svg = String::new();
    let drawn = (|| {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        area.fill(&WHITE)?;
        draw(&area)?;
        area.present()
    })();
    drawn.map_err(|error: FigureError| Error::Figure { reason: error.to_string() })?;
    Ok(svg)
}

type FigureError = DrawingAreaErrorKind<std::io::Error>;

/// The range of `values`, a little widened; never empty.
fn padded(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    let margin = 0.05 * (high - low);
    let margin = if margin > 0.0 { margin } else { 0.5 };
    low - margin..high + margin
}
