//! The three published findings, as statements that a sweep confirms or contradicts.

use ndarray::Array1;
use serde::Serialize;

use super::{EinsteinReport, LayerReading};
use crate::analysis::{correlation, spread};
use crate::error::Result;

/// The correlation from which on the scaled logits count as having kept their shape: the published
/// 0.995, to two digits.
const KEEPS_SHAPE: f64 = 0.99;

/// The rank correlation of depth and loss from which on "the deeper, the higher" counts as true.
const RISES_WITH_DEPTH: f64 = 0.5;

/// The fewest layers over which a trend with depth means anything.
const LAYERS_FOR_A_TREND: usize = 3;

/// A published claim, and what this run says about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What was published about GPT-2 Medium, in this run's terms.
    pub claim: String,
    /// What was measured here.
    pub measured: String,
    /// Whether it holds on this model; `None` (`null` in JSON) if this run cannot tell.
    pub holds: Option<bool>,
}

pub(super) fn test(report: &EinsteinReport) -> Result<Vec<Finding>> {
    Ok(vec![keeps_shape(report)?, early_layer_helps(report), deeper_is_worse(report)?])
}

fn keeps_shape(report: &EinsteinReport) -> Result<Finding> {
    let claim = format!(
        "Layer {} scaled by {} shifts and shrinks the logits over the whole vocabulary, yet they \
         correlate with the clean logits at r ≈ 0.995",
        report.focus_layer, report.scale
    );
    let (clean, scaled) = (report.clean_logits.view(), report.focus_logits.view());
    let shrunk = spread::share_shrunk(clean, scaled)?;
    let (measured, holds) = match report.focus() {
        Some(_) if report.is_divided_out(report.focus_layer) => {
            let reason = "the last layer's factor is divided out by the final layer norm";
            (format!("no evidence: {reason}"), None)
        }
        Some(LayerReading { pearson: Some(r), mean_logit_shift, logit_std_ratio, .. }) => (
            format!(
                "r = {r:.4}; {:.1} % of the logits nearer to zero, mean shift {mean_logit_shift:+.3}, \
                 standard deviation × {logit_std_ratio:.3}",
                100.0 * shrunk
            ),
            Some(*r >= KEEPS_SHAPE && shrunk > 0.5),
        ),
        _ => ("the scaled logits are all equal".to_owned(), Some(false)),
    };
    Ok(Finding { claim, measured, holds })
}

fn early_layer_helps(report: &EinsteinReport) -> Finding {
    let top = report.clean.top_k.len();
    let claim = format!(
        "Scaling an early layer can move {:?} up in the top {top} and lower its loss, as if the \
         softmax temperature had been lowered",
        report.target
    );
    let n_early = report.model.n_layers.div_ceil(4);
    let early: Vec<_> = evidence(report).filter(|reading| reading.layer < n_early).collect();
    let Some(best) = early.iter().min_by(|a, b| a.loss.total_cmp(&b.loss)) else {
        let measured =
            format!("no evidence: none of the early layers 0 to {} was swept", n_early - 1);
        return Finding { claim, measured, holds: None };
    };
    let measured = format!(
        "best early layer {} (of 0 to {}): rank {} to {}, loss {:.4} to {:.4}, entropy {:.3} to {:.3}",
        best.layer,
        n_early - 1,
        report.clean.rank,
        best.rank,
        report.clean.loss,
        best.loss,
        report.clean.entropy,
        best.entropy
    );
    if report.clean.rank == 0 {
        let measured = format!("{measured}; the clean rank is 0 and leaves no room to rise");
        return Finding { claim, measured, holds: None };
    }
    let helps = |reading: &&LayerReading| {
        reading.delta_loss < 0.0 && reading.rank < report.clean.rank && reading.rank < top
    };
    Finding { claim, measured, holds: Some(early.into_iter().any(|reading| helps(&reading))) }
}

fn deeper_is_worse(report: &EinsteinReport) -> Result<Finding> {
    let claim = format!(
        "Over all layers scaled by {}, most lower the target's loss; the deeper the layer, the \
         higher the loss",
        report.scale
    );
    let readings: Vec<_> = evidence(report).collect();
    if readings.len() < LAYERS_FOR_A_TREND {
        let measured = format!("no evidence: {} layers are too few for a trend", readings.len());
        return Ok(Finding { claim, measured, holds: None });
    }
    let helpful = readings.iter().filter(|reading| reading.delta_loss < 0.0).count();
    let depth: Array1<f64> = readings.iter().map(|reading| reading.layer as f64).collect();
    let loss: Array1<f64> = readings.iter().map(|reading| reading.loss).collect();
    if loss.iter().all(|&value| value == loss[0]) {
        let measured = "every layer gives the same loss".to_owned();
        return Ok(Finding { claim, measured, holds: Some(false) });
    }
    let trend = correlation::spearman(depth.view(), loss.view())?;
    let measured = format!(
        "{helpful} of {} layers lower the loss; Spearman correlation of depth and loss {trend:+.3}{}",
        readings.len(),
        if readings.len() < report.layers.len() { " (last layer left out)" } else { "" }
    );
    let holds = 2 * helpful > readings.len() && trend >= RISES_WITH_DEPTH;
    Ok(Finding { claim, measured, holds: Some(holds) })
}

/// The readings that say something about the model rather than about its final layer norm.
fn evidence(report: &EinsteinReport) -> impl Iterator<Item = &LayerReading> {
    report.layers.iter().filter(|reading| !report.is_divided_out(reading.layer))
}
