//! Loss and rank of the target, by the layer that is scaled.

use plotters::prelude::*;

use super::{Area, CLEAN, FONT, FigureError, SCALED, padded, sheet};
use crate::error::Result;
use crate::experiment::einstein::EinsteinReport;

pub(super) fn draw(report: &EinsteinReport) -> Result<String> {
    sheet((820, 640), |area| draw_on(area, report))
}

fn draw_on(area: &Area<'_>, report: &EinsteinReport) -> Result<(), FigureError> {
    let title = format!("{:?}, one layer scaled by {}", report.target, report.scale);
    let area = area.titled(&title, (FONT, 22))?;
    let (upper, lower) = area.split_vertically(300);
    let losses: Vec<_> = report.layers.iter().map(|row| (row.layer, row.loss)).collect();
    let ranks: Vec<_> = report.layers.iter().map(|row| (row.layer, row.rank as f64)).collect();
    draw_panel(&upper, "loss (nats)", report, &losses, report.clean.loss)?;
    draw_panel(&lower, "rank (0 = most likely)", report, &ranks, report.clean.rank as f64)
}

fn draw_panel(
    panel: &Area<'_>,
    quantity: &str,
    report: &EinsteinReport,
    points: &[(usize, f64)],
    clean: f64,
) -> Result<(), FigureError> {
    let last = report.model.n_layers - 1;
    let layers = -0.5..last as f64 + 0.5;
    let values = padded(points.iter().map(|&(_, value)| value).chain([clean]));
    // Room for the legend above the highest dot.
    let values = values.start..values.end + 0.2 * (values.end - values.start);
    let mut chart = ChartBuilder::on(panel)
        .margin(12)
        .x_label_area_size(42)
        .y_label_area_size(70)
        .build_cartesian_2d(layers.clone(), values)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(WHITE)
        .x_labels(report.model.n_layers.min(25))
        .x_label_formatter(&|layer| {
            if layer.fract() == 0.0 { format!("{layer:.0}") } else { String::new() }
        })
        .y_label_formatter(&|value| {
            if value.abs() < 100.0 { format!("{value:.2}") } else { format!("{value:.0}") }
        })
        .x_desc("layer scaled")
        .y_desc(quantity)
        .label_style((FONT, 14))
        .axis_desc_style((FONT, 15))
        .draw()?;
    chart
        .draw_series(DashedLineSeries::new(
            [(layers.start, clean), (layers.end, clean)],
            6,
            4,
            CLEAN.stroke_width(2),
        ))?
        .label("clean")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], CLEAN.stroke_width(2)));
    let line = points.iter().map(|&(layer, value)| (layer as f64, value));
    chart.draw_series(LineSeries::new(line.clone(), SCALED.mix(0.5)))?;
    // A hollow dot where the final layer norm divides the factor out: no evidence.
    let dots = points.iter().zip(line).map(|(&(layer, _), at)| {
        let style: ShapeStyle =
            if report.is_divided_out(layer) { SCALED.into() } else { SCALED.filled() };
        Circle::new(at, 5, style)
    });
    chart
        .draw_series(dots)?
        .label("scaled (hollow: divided out)")
        .legend(|(x, y)| Circle::new((x + 9, y), 5, SCALED.filled()));
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .label_font((FONT, 14))
        .draw()
}
