//! The labels of dots, where they cover neither dots nor a line nor each other.

use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::plot::Chart;
use super::sheet::{Area, FigureError, LABEL, cut, text, width};

/// Of more dots than this, only those farthest out are labelled.
const MOST: usize = 60;
/// Dots that a label may not cover are looked for up to this many.
const MOST_DOTS: usize = 2000;
/// The places along a line that a label may not cover.
const LINE_STEPS: usize = 150;
const LONGEST: u32 = 120;
const HEIGHT: i32 = 14;
const BESIDE: i32 = 7;

/// Left, top, right and bottom.
type Frame = [i32; 4];

/// Writes as many labels as have room beside, above or below their dots, from the outermost dot inward; not on
/// a line, given by its slope and where it crosses zero.
pub(super) fn draw_dot_labels(
    area: &Area<'_>,
    chart: &Chart<'_, '_>,
    points: &[(usize, [f64; 2])],
    labels: &[String],
    line: Option<(f64, f64)>,
) -> Result<(), FigureError> {
    let (left, top) = area.get_base_pixel();
    let at = |&(place, [x, y]): &(usize, [f64; 2])| {
        let (x, y) = chart.backend_coord(&(x, y));
        (place, (x - left, y - top))
    };
    let mut dots: Vec<_> = points.iter().map(at).collect();
    let count = dots.len().max(1) as i64;
    let middle = |of: fn(&(i32, i32)) -> i32| {
        (dots.iter().map(|(_, at)| i64::from(of(at))).sum::<i64>() / count) as i32
    };
    let (x, y) = (middle(|at| at.0), middle(|at| at.1));
    dots.sort_by_key(|(_, at)| -(at.0 - x).pow(2) - (at.1 - y).pow(2));
    let around = |&(_, (x, y)): &(usize, (i32, i32))| [x - 4, y - 4, x + 4, y + 4];
    let mut taken: Vec<Frame> = dots.iter().take(MOST_DOTS).map(around).collect();

    if let Some((slope, intercept)) = line {
        let (x, y) = (chart.x_range(), chart.y_range());
        let along = |step: usize| x.start + (x.end - x.start) * step as f64 / LINE_STEPS as f64;
        let points = (0..=LINE_STEPS).map(along).map(|x| (x, slope * x + intercept));
        for point in points.filter(|point| y.contains(&point.1)) {
            let (x, y) = chart.backend_coord(&point);
            taken.push([x - left - 2, y - top - 2, x - left + 2, y - top + 2]);
        }
    }

    let (columns, rows) = chart.plotting_area().get_pixel_range();
    let inside = [columns.start - left, rows.start - top, columns.end - left, rows.end - top];
    let style = text(LABEL).pos(Pos::new(HPos::Left, VPos::Center));
    for &(place, (x, y)) in dots.iter().take(MOST) {
        let Some(label) = labels.get(place).filter(|label| !label.is_empty()) else { continue };
        let label = cut(label, LONGEST, LABEL);
        let length = width(&label, LABEL) as i32;
        let corners = [
            (x + BESIDE, y - HEIGHT / 2),
            (x - BESIDE - length, y - HEIGHT / 2),
            (x - length / 2, y - BESIDE - HEIGHT),
            (x - length / 2, y + BESIDE),
        ];
        let frames = corners.map(|(x, y)| [x, y, x + length, y + HEIGHT]);
        let is_free = |frame: &&Frame| {
            let leaves = frame[0] < inside[0]
                || frame[1] < inside[1]
                || frame[2] > inside[2]
                || frame[3] > inside[3];
            !leaves && !taken.iter().any(|other| overlap(frame, other))
        };
        if let Some(&frame) = frames.iter().find(is_free) {
            area.draw_text(&label, &style, (frame[0], frame[1] + HEIGHT / 2))?;
            taken.push(frame);
        }
    }
    Ok(())
}

fn overlap(a: &Frame, b: &Frame) -> bool {
    a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]
}
