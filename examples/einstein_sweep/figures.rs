//! The report as figures.

use hooked_gpt2::Result;
use hooked_gpt2::experiment::einstein::{EinsteinReport, LayerPrediction, TopToken};
use hooked_gpt2::report::figure::{Bar, BarList, Bars, Density, IndexPanels, Panel};
use hooked_gpt2::report::visible;
use ndarray::Array1;

/// File names and SVG texts: clean against scaled logits, the top tokens of both, loss and rank by layer.
pub fn draw(report: &EinsteinReport) -> Result<[(&'static str, String); 3]> {
    Ok([
        ("logits.svg", logits(report)?),
        ("top_tokens.svg", top_tokens(report)?),
        ("by_layer.svg", by_layer(report)?),
    ])
}

fn logits(report: &EinsteinReport) -> Result<String> {
    let r = report.focus().and_then(|focus| focus.pearson);
    let r = r.map_or("r undefined".to_owned(), |r| format!("r = {r:.4}"));
    let target = visible(&report.target);
    let figure = Density {
        title: format!(
            "{}, layer {} scaled by {}: {r}",
            report.model.name, report.focus_layer, report.scale
        ),
        clean: ("clean logit", report.clean_logits.view()),
        other: ("scaled logit", report.focus_logits.view()),
        marked: Some((report.target_token as usize, &target)),
    };
    figure.to_svg()
}

fn top_tokens(report: &EinsteinReport) -> Result<String> {
    let bar = |token: &TopToken| {
        let probability = token.log_prob.exp();
        Bar {
            label: visible(&token.text),
            value: probability,
            words: format!("{:.2} %", 100.0 * probability),
            is_marked: token.token == report.target_token,
        }
    };
    let list = |title: String, tokens: &[TopToken]| BarList {
        title,
        bars: tokens.iter().map(bar).collect(),
    };
    let scaled = format!("layer {} scaled by {}", report.focus_layer, report.scale);
    let of_focus = report.focus().map(|focus| list(scaled, &focus.top_k));
    let lists: Vec<_> = [list(format!("{}, clean", report.model.name), &report.clean.top_k)]
        .into_iter()
        .chain(of_focus)
        .collect();
    Bars { lists: &lists }.to_svg()
}

fn by_layer(report: &EinsteinReport) -> Result<String> {
    let labels: Vec<String> = (0..report.model.n_layers).map(|layer| layer.to_string()).collect();
    // Layers that were not swept have no dot.
    let of_each = |quantity: fn(&LayerPrediction) -> f64| -> Array1<f64> {
        (0..labels.len()).map(|layer| report.layer(layer).map_or(f64::NAN, quantity)).collect()
    };
    let (loss, rank) = (of_each(|row| row.loss), of_each(|row| row.rank as f64));
    let no_evidence = report.layers.iter().filter(|row| !report.is_evidence(row));
    let no_evidence: Vec<usize> = no_evidence.map(|row| row.layer).collect();
    let figure = IndexPanels {
        title: format!(
            "{}, {}, one layer scaled by {}",
            report.model.name,
            visible(&report.target),
            report.scale
        ),
        index: ("layer scaled", &labels),
        dots: "scaled",
        rings: (&no_evidence, "scaled, to no effect"),
        level: "clean",
        panels: &[
            Panel { quantity: "loss (nats)", values: loss.view(), level: Some(report.clean.loss) },
            Panel {
                quantity: "rank (0 = most likely)",
                values: rank.view(),
                level: Some(report.clean.rank as f64),
            },
        ],
    };
    figure.to_svg()
}
