//! The figure: a panel for each axis, on one scale of time.

use std::error::Error;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::Panel;
use crate::cases::doubling;
use crate::timing::Point;

const ONE_RUN_EACH: RGBColor = RGBColor(110, 118, 128);
const SWEEP: RGBColor = RGBColor(0, 98, 155);
const GRID: RGBColor = RGBColor(228, 231, 235);
const FONT: &str = "sans-serif";
/// Plotters writes a font size as 0.8 times as many pixels.
const LABEL: u32 = 16;
const NAME: u32 = 17;
const TITLE: u32 = 18;
const SIZE: (u32, u32) = (900, 370);
const LEGEND: u32 = 40;
/// The width of the labels of an axis of time, and of its name.
const AXIS: u32 = 42;
const AXIS_NAME: u32 = 22;
const DOT: u32 = 4;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

pub fn draw(panels: &[Panel]) -> Result<String, Box<dyn Error>> {
    let mut svg = String::new();
    draw_on(&SVGBackend::with_string(&mut svg, SIZE).into_drawing_area(), panels)?;
    Ok(svg)
}

fn draw_on(area: &Area<'_>, panels: &[Panel]) -> Result<(), Box<dyn Error>> {
    area.fill(&WHITE)?;
    let (legend, charts) = area.split_vertically(LEGEND);
    draw_legend(&legend)?;
    let points = panels.iter().flat_map(|panel| &panel.points);
    let most = points.map(|point| point.one_run_each.max(point.sweep)).fold(1.0, f64::max);
    // The first panel alone names the scale, and is wider by the name.
    let width = (SIZE.0 - AXIS_NAME) / panels.len() as u32;
    let breaks = (1..panels.len() as u32).map(|panel| AXIS_NAME + panel * width);
    let areas = charts.split_by_breakpoints(breaks.collect::<Vec<_>>(), Vec::<i32>::new());
    for (number, (area, panel)) in areas.iter().zip(panels).enumerate() {
        draw_panel(area, panel, most, number == 0)?;
    }
    area.present()?;
    Ok(())
}

fn draw_panel(
    area: &Area<'_>,
    panel: &Panel,
    most: f64,
    is_first: bool,
) -> Result<(), Box<dyn Error>> {
    let (Some(first), Some(last)) = (panel.points.first(), panel.points.last()) else {
        return Ok(());
    };
    let (first, last) = (first.at as f64, last.at as f64);
    // Room for the dots at the ends.
    let margin = (last / first).powf(0.05).max(1.05);
    let ticks = panel.points.iter().map(|point| point.at as f64).collect();
    let x = (first / margin..last * margin).log_scale().with_key_points(ticks);
    let ticks = doubling(1, most as usize).map(|passes| passes as f64).collect();
    let y = (0.8..most * 1.25).log_scale().with_key_points(ticks);
    let mut chart = ChartBuilder::on(area)
        .caption(&panel.title, (FONT, TITLE))
        .margin_right(14)
        .margin_left(4)
        .margin_bottom(6)
        .x_label_area_size(48)
        .y_label_area_size(if is_first { AXIS + AXIS_NAME } else { AXIS })
        .build_cartesian_2d(x, y)?;
    let mut mesh = chart.configure_mesh();
    mesh.bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(ONE_RUN_EACH)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.0}"))
        .x_desc(panel.axis)
        .label_style((FONT, LABEL))
        .axis_desc_style((FONT, NAME));
    if is_first {
        mesh.y_desc("time, in plain forward passes");
    }
    mesh.draw()?;
    let line = |time: fn(&Point) -> f64| {
        panel.points.iter().map(move |point| (point.at as f64, time(point)))
    };
    let one_run_each = line(|point| point.one_run_each);
    let dashes = DashedLineSeries::new(one_run_each.clone(), 6, 4, ONE_RUN_EACH.stroke_width(2));
    chart.draw_series(dashes)?;
    chart.draw_series(one_run_each.map(|at| Circle::new(at, DOT, ONE_RUN_EACH.filled())))?;
    let sweep = line(|point| point.sweep);
    chart.draw_series(LineSeries::new(sweep.clone(), SWEEP.stroke_width(2)))?;
    chart.draw_series(sweep.map(|at| Circle::new(at, DOT, SWEEP.filled())))?;
    Ok(())
}

/// Above all panels, where it hides nothing.
fn draw_legend(area: &Area<'_>) -> Result<(), Box<dyn Error>> {
    let y = LEGEND as i32 / 2;
    let text = TextStyle::from((FONT, TITLE)).pos(Pos::new(HPos::Left, VPos::Center));
    let left = (AXIS + AXIS_NAME) as i32;
    for (x, colour, dashes, name) in [
        (left, ONE_RUN_EACH, &[(0, 8), (12, 28), (32, 40)][..], "one plain run for each variant"),
        (left + 310, SWEEP, &[(0, 40)], "a sweep, all variants together"),
    ] {
        for (from, to) in dashes {
            let ends = vec![(x + from, y), (x + to, y)];
            area.draw(&PathElement::new(ends, colour.stroke_width(2)))?;
        }
        area.draw(&Circle::new((x + 20, y), DOT, colour.filled()))?;
        area.draw_text(name, &text.color(&colour), (x + 50, y))?;
    }
    Ok(())
}
