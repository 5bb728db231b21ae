//! Clean against scaled logits, over the whole vocabulary.

use plotters::prelude::*;

use super::{Area, FONT, FigureError, SCALED, TARGET, padded, sheet};
use crate::error::Result;
use crate::experiment::einstein::EinsteinReport;

/// Cells per side. A vocabulary has tens of thousands of tokens: as dots they would be megabytes
/// of SVG and one solid blot, as counts per cell they show where the tokens lie.
const CELLS: usize = 110;

pub(super) fn draw(report: &EinsteinReport) -> Result<String> {
    sheet((760, 640), |area| draw_on(area, report))
}

fn draw_on(area: &Area<'_>, report: &EinsteinReport) -> Result<(), FigureError> {
    let (clean, scaled) = (&report.clean_logits, &report.focus_logits);
    let r = report.focus().and_then(|focus| focus.pearson);
    let caption = format!(
        "Layer {} scaled by {}: {}",
        report.focus_layer,
        report.scale,
        r.map_or("r undefined".to_owned(), |r| format!("r = {r:.4}"))
    );
    let (x_range, y_range) = (padded(clean.iter().copied()), padded(scaled.iter().copied()));
    let mut chart = ChartBuilder::on(area)
        .caption(caption, (FONT, 22))
        .margin(16)
        .x_label_area_size(46)
        .y_label_area_size(64)
        .build_cartesian_2d(x_range.clone(), y_range.clone())?;
    chart
        .configure_mesh()
        .x_desc("clean logit")
        .y_desc("scaled logit")
        .light_line_style(WHITE)
        .label_style((FONT, 14))
        .axis_desc_style((FONT, 16))
        .draw()?;

    let width = (x_range.end - x_range.start) / CELLS as f64;
    let height = (y_range.end - y_range.start) / CELLS as f64;
    let mut counts = vec![0_u32; CELLS * CELLS];
    for (&x, &y) in clean.iter().zip(scaled) {
        let column = (((x - x_range.start) / width) as usize).min(CELLS - 1);
        let row = (((y - y_range.start) / height) as usize).min(CELLS - 1);
        counts[row * CELLS + column] += 1;
    }
    let most = f64::from(counts.iter().copied().max().unwrap_or(1)).ln_1p();
    let filled = counts.iter().enumerate().filter(|&(_, &count)| count > 0);
    chart.draw_series(filled.map(|(cell, &count)| {
        let x = x_range.start + (cell % CELLS) as f64 * width;
        let y = y_range.start + (cell / CELLS) as f64 * height;
        let density = f64::from(count).ln_1p() / most;
        Rectangle::new([(x, y), (x + width, y + height)], SCALED.mix(0.2 + 0.8 * density).filled())
    }))?;

    let low = x_range.start.max(y_range.start);
    let high = x_range.end.min(y_range.end);
    if low < high {
        chart
            .draw_series(LineSeries::new([(low, low), (high, high)], BLACK.mix(0.5)))?
            .label("unchanged")
            .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], BLACK.mix(0.5)));
    }
    let target = report.target_token as usize;
    if let (Some(&x), Some(&y)) = (clean.get(target), scaled.get(target)) {
        chart
            .draw_series([Circle::new((x, y), 6, TARGET.stroke_width(2))])?
            .label(format!("{:?}", report.target))
            .legend(|(x, y)| Circle::new((x + 9, y), 6, TARGET.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .label_font((FONT, 15))
        .draw()
}
