//! The most likely tokens, clean and scaled, side by side.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{Area, CLEAN, FONT, FigureError, SCALED, TARGET, sheet};
use crate::error::Result;
use crate::experiment::einstein::{EinsteinReport, TopToken};

const BAR: i32 = 30;
const TOP: i32 = 56;

pub(super) fn draw(report: &EinsteinReport) -> Result<String> {
    let height = TOP + BAR * report.clean.top_k.len() as i32 + 16;
    sheet((900, height as u32), |area| draw_on(area, report))
}

fn draw_on(area: &Area<'_>, report: &EinsteinReport) -> Result<(), FigureError> {
    let Some(focus) = report.focus() else { return Ok(()) };
    let lists = [&report.clean.top_k, &focus.top_k];
    // One scale for both panels, so that their bars can be compared.
    let longest = lists
        .iter()
        .flat_map(|list| list.iter())
        .fold(0.0_f64, |longest, token| longest.max(token.log_prob.exp()));
    let scaled_title = format!("layer {} scaled by {}", report.focus_layer, report.scale);
    let titles = ["clean".to_owned(), scaled_title];
    let (left, right) = area.split_horizontally(450);
    for (((panel, list), title), color) in
        [left, right].iter().zip(lists).zip(titles).zip([CLEAN, SCALED])
    {
        draw_panel(panel, &title, list, longest, report.target_token, color)?;
    }
    Ok(())
}

fn draw_panel(
    panel: &Area<'_>,
    title: &str,
    tokens: &[TopToken],
    longest: f64,
    target: u32,
    color: RGBColor,
) -> Result<(), FigureError> {
    const TEXT_END: i32 = 150;
    const BAR_LENGTH: f64 = 220.0;
    let heading = TextStyle::from((FONT, 20).into_font()).pos(Pos::new(HPos::Left, VPos::Center));
    panel.draw(&Text::new(title.to_owned(), (16, 26), heading))?;
    for (place, token) in tokens.iter().enumerate() {
        let probability = token.log_prob.exp();
        let middle = TOP + BAR * place as i32 + BAR / 2;
        let end = TEXT_END + 8 + (BAR_LENGTH * probability / longest).round() as i32;
        let color = if token.token == target { TARGET } else { color };
        let bar = [(TEXT_END + 8, middle - 10), (end, middle + 10)];
        panel.draw(&Rectangle::new(bar, color.filled()))?;
        let label = TextStyle::from((FONT, 15).into_font());
        let name = label.clone().pos(Pos::new(HPos::Right, VPos::Center));
        panel.draw(&Text::new(label_text(&token.text), (TEXT_END, middle), name))?;
        let share = label.pos(Pos::new(HPos::Left, VPos::Center));
        panel.draw(&Text::new(
            format!("{:.2} %", 100.0 * probability),
            (end + 6, middle),
            share,
        ))?;
    }
    Ok(())
}

/// The token in quotes, cut where it would leave the sheet.
fn label_text(text: &str) -> String {
    const LONGEST: usize = 16;
    if text.chars().count() > LONGEST {
        format!("{:?}…", text.chars().take(LONGEST).collect::<String>())
    } else {
        format!("{text:?}")
    }
}
