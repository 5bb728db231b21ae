//! What is concluded: the three published claims, each word as a quantity.
//!
//! `docs/einstein_sweep.md` states the quantities and thresholds, and why.

use super::{
    EinsteinReport, EinsteinSweep, Finding, LayerPrediction, Needed, Part, Reason, Verdict,
};

const SHRINKS: &str = "layer 2 at 0.6 shrinks all logits and yet r ≈ 0.995 with the clean ones";
const COOLS: &str = "an early layer scaled down can raise the target's rank and lower its loss, like \
                     cooling the softmax";
const DEEPEST_LEAST: &str = "over 24 layers most do [lower the loss], the deepest least";

/// The layer that the first claim is about.
pub(super) const LAYER: usize = 2;
/// What counts as "shrinks": a standard deviation of no more than this share of the clean one.
const SHRUNK: f64 = 0.99;
/// What counts as "all".
const ALL: f64 = 0.99;
/// What counts as "r ≈ 0.995": 1 - r within a factor of two of 0.005.
const R: (f64, f64) = (0.99, 0.9975);
/// What counts as "most": more than this share.
const MOST: f64 = 0.5;
/// Layers of which each quarter has one that is not the last of the model.
const LAYERS_FOR_QUARTERS: usize = 8;

pub(super) fn test(report: &EinsteinReport) -> Vec<Finding> {
    vec![shrinks(report), cools(report), deepest_least(report)]
}

fn shrinks(report: &EinsteinReport) -> Finding {
    // Without the layer of the claim, the focus layer's numbers, and no verdict.
    let Some(prediction) = report.layer(LAYER).or(report.focus()) else {
        let reason = Reason::NotSwept { layers: vec![LAYER] };
        return Finding::new(SHRINKS, Vec::new(), Vec::new(), Some(reason));
    };
    let parts = vec![
        part("shrinks", "std ratio", prediction.logit_std_ratio, Needed::AtMost(SHRUNK)),
        part("all logits", "share nearer to zero", prediction.share_shrunk, Needed::AtLeast(ALL)),
        part("r ≈ 0.995", "r", prediction.pearson, Needed::Between(R.0, R.1)),
    ];
    let is_other = prediction.layer != LAYER;
    let reason = other_experiment(report)
        .or_else(|| is_other.then(|| Reason::NotSwept { layers: vec![LAYER] }))
        .or_else(|| no_change(report, &[prediction]));
    Finding::new(SHRINKS, vec![prediction.layer], parts, reason)
}

fn cools(report: &EinsteinReport) -> Finding {
    let early: Vec<usize> =
        (0..report.model.n_layers).filter(|&layer| quarter(report, layer) == 0).collect();
    let swept: Vec<&LayerPrediction> = early.iter().filter_map(|&l| report.layer(l)).collect();
    let missing: Vec<usize> =
        early.iter().copied().filter(|&layer| report.layer(layer).is_none()).collect();
    // The layer that fits best decides, and is the one that is shown: one that fits altogether, if any.
    let fit = |row: &LayerPrediction| {
        let met = cools_at(report, row).iter().filter(|part| part.is_met()).count();
        (report.is_evidence(row), met)
    };
    let Some(best) = swept.iter().copied().max_by(|a, b| {
        fit(a).cmp(&fit(b)).then(b.loss.total_cmp(&a.loss)).then(b.layer.cmp(&a.layer))
    }) else {
        let reason = other_experiment(report).unwrap_or(Reason::NotSwept { layers: early });
        return Finding::new(COOLS, Vec::new(), Vec::new(), Some(reason));
    };
    let parts = cools_at(report, best);
    // A layer that was not swept might do what none of the others does.
    let might = !missing.is_empty() && !parts.iter().all(Part::is_met);
    let reason = other_experiment(report)
        .or_else(|| (report.clean.rank == 0).then_some(Reason::NoRoomToRise))
        .or_else(|| might.then_some(Reason::NotSwept { layers: missing }))
        .or_else(|| no_change(report, &swept));
    Finding::new(COOLS, vec![best.layer], parts, reason)
}

fn cools_at(report: &EinsteinReport, prediction: &LayerPrediction) -> Vec<Part> {
    let clean = &report.clean;
    let places = clean.rank as f64 - prediction.rank as f64;
    let entropy = prediction.entropy - clean.entropy;
    let lower = Needed::AtMost(-report.least_change);
    vec![
        part("raise the target's rank", "places gained", places, Needed::AtLeast(1.0)),
        part("lower its loss", "loss change", prediction.delta_loss, lower),
        part("cooling", "entropy change", entropy, lower),
        part("like … the softmax", "r", prediction.pearson, Needed::AtLeast(R.0)),
    ]
}

fn deepest_least(report: &EinsteinReport) -> Finding {
    let n_layers = report.model.n_layers;
    let changed: Vec<&LayerPrediction> =
        report.layers.iter().filter(|prediction| report.is_evidence(prediction)).collect();
    let lower = changed.iter().filter(|prediction| prediction.delta_loss <= -report.least_change);
    let share = (!changed.is_empty()).then(|| lower.count() as f64 / changed.len() as f64);
    // The mean change of a quarter of the model.
    let mean = |of: usize| {
        let changes = changed.iter().filter(|row| quarter(report, row.layer) == of);
        let changes: Vec<f64> = changes.map(|row| row.delta_loss).collect();
        (!changes.is_empty()).then(|| changes.iter().sum::<f64>() / changes.len() as f64)
    };
    let others = (0..3).filter_map(mean).max_by(f64::total_cmp);
    let above = mean(3).zip(others).map(|(deepest, others)| deepest - others);
    let least = Needed::AtLeast(report.least_change);
    let parts = vec![
        part("most do [lower the loss]", "share of layers", share, Needed::MoreThan(MOST)),
        part("the deepest least", "loss above the rest", above, least),
    ];
    let missing: Vec<usize> =
        (0..n_layers).filter(|&layer| report.layer(layer).is_none()).collect();
    let (given, needed) = (n_layers, LAYERS_FOR_QUARTERS);
    let reason = other_experiment(report)
        .or_else(|| (!missing.is_empty()).then_some(Reason::NotSwept { layers: missing }))
        .or_else(|| (given < needed).then_some(Reason::TooFewLayers { given, needed }))
        .or_else(|| {
            let rows =
                |of| report.layers.iter().filter(move |row| quarter(report, row.layer) == of);
            (0..4).find_map(|of| no_change(report, &rows(of).collect::<Vec<_>>()))
        });
    Finding::new(DEEPEST_LEAST, changed.iter().map(|row| row.layer).collect(), parts, reason)
}

/// Why what was run is not what the claims are about.
fn other_experiment(report: &EinsteinReport) -> Option<Reason> {
    let published = EinsteinSweep::default();
    if report.scale == 1.0 {
        Some(Reason::FactorOfOne)
    } else if report.scale != published.scale {
        Some(Reason::OtherFactor { given: report.scale, published: published.scale })
    } else if report.prompt != published.prompt || report.options.bos != published.bos {
        Some(Reason::OtherPrompt)
    } else if report.target != published.target {
        Some(Reason::OtherTarget)
    } else {
        None
    }
}

/// Why none of these layers is evidence, if none is.
fn no_change(report: &EinsteinReport, predictions: &[&LayerPrediction]) -> Option<Reason> {
    if predictions.iter().any(|prediction| report.is_evidence(prediction)) {
        return None;
    }
    let layers: Vec<usize> = predictions.iter().map(|prediction| prediction.layer).collect();
    match predictions {
        [only] if report.is_divided_out(only) => Some(Reason::DividedOut { layer: only.layer }),
        _ => Some(Reason::NoChange { layers, least: report.least_change }),
    }
}

/// The quarter of the model that a layer is in, from 0 for the early ones to 3 for the deepest.
fn quarter(report: &EinsteinReport, layer: usize) -> usize {
    4 * layer / report.model.n_layers
}

fn part(
    words: &'static str,
    quantity: &'static str,
    measured: impl Into<Option<f64>>,
    needed: Needed,
) -> Part {
    Part { words, quantity, measured: measured.into(), needed, holds: None }
}

impl Part {
    /// Whether the quantity is what is needed; an undefined one is not.
    fn is_met(&self) -> bool {
        self.measured.is_some_and(|measured| self.needed.holds(measured))
    }
}

impl Finding {
    /// Judges by the parts, unless there is a reason not to.
    fn new(
        claim: &'static str,
        layers: Vec<usize>,
        mut parts: Vec<Part>,
        reason: Option<Reason>,
    ) -> Self {
        let verdict = match reason {
            Some(_) => Verdict::CannotBeTold,
            None if parts.iter().all(Part::is_met) => Verdict::Holds,
            None => Verdict::DoesNotHold,
        };
        // Nothing was measured on no layer.
        if layers.is_empty() {
            parts.clear();
        }
        if verdict != Verdict::CannotBeTold {
            parts.iter_mut().for_each(|part| part.holds = Some(part.is_met()));
        }
        Self { claim, verdict, reason, layers, parts }
    }
}

#[cfg(test)]
mod tests;
