//! Comparisons of two vectors of logits: distributions, rankings, temperatures; against exact arithmetic.

use hooked_gpt2::Error;
use hooked_gpt2::analysis::contrast::{logit_difference, share_recovered};
use hooked_gpt2::analysis::correlation::cosine_similarity;
use hooked_gpt2::analysis::divergence::{
    jensen_shannon_divergence, kl_divergence, total_variation,
};
use hooked_gpt2::analysis::loss::{negative_log_likelihood, perplexity};
use hooked_gpt2::analysis::rank::{rank_biased_overlap, top_k_overlap};
use hooked_gpt2::analysis::temperature::{affine_fit, equivalent_temperature, loss_at_temperature};
use hooked_gpt2::error::{AnalysisError, BatchError};
use ndarray::{Array1, arr1, array};
use proptest::prelude::*;
use serde::Deserialize;

use crate::support::fixtures;
use crate::tolerance::{CORRELATION, STATISTIC};

#[derive(Deserialize)]
struct Statistics {
    pairs: Vec<Pair>,
}

#[derive(Deserialize)]
struct Pair {
    name: String,
    x: Vec<f64>,
    y: Vec<f64>,
    pearson: f64,
    jensen_shannon: f64,
    total_variation: f64,
    cosine: f64,
    /// Of the two most likely tokens.
    jaccard: f64,
    /// For a persistence of 0.75.
    rank_biased_overlap: f64,
    temperature: Option<Temperature>,
}

#[derive(Deserialize)]
struct Temperature {
    inverse_temperature: f64,
    change: f64,
    remaining: f64,
}

fn pairs() -> Vec<(Pair, Array1<f64>, Array1<f64>)> {
    let path = fixtures().join("statistics.json");
    let statistics: Statistics = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let vectors = |pair: Pair| {
        let (x, y) = (arr1(&pair.x), arr1(&pair.y));
        (pair, x, y)
    };
    statistics.pairs.into_iter().map(vectors).collect()
}

#[track_caller]
fn assert_within(name: &str, ours: f64, exact: f64, allowed: f64) {
    assert!((ours - exact).abs() <= allowed, "{name}: {ours:e}, exactly {exact:e}");
}

#[test]
fn divergences_and_overlaps_are_exact_however_near_or_far_the_logits_are() {
    for (pair, x, y) in pairs() {
        let (x, y, name) = (x.view(), y.view(), &pair.name);
        for (x, y) in [(x, y), (y, x)] {
            let js = jensen_shannon_divergence(x, y).unwrap();
            // The logits are given to so many digits, and a divergence grows with the square of their distance.
            let size =
                x.iter().chain(y).fold(0.0_f64, |size, value| size.max(value.abs())).max(1.0);
            let rounding = (size * f64::EPSILON).min(1.0);
            let lost = STATISTIC * pair.jensen_shannon
                + rounding * pair.total_variation
                + rounding.powi(2);
            assert_within(name, js, pair.jensen_shannon, lost);
            let tv = total_variation(x, y).unwrap();
            assert_within(
                name,
                tv,
                pair.total_variation,
                STATISTIC * pair.total_variation + rounding,
            );
            let cosine = cosine_similarity(x, y).unwrap();
            assert_within(name, cosine, pair.cosine, CORRELATION);
            assert_eq!(top_k_overlap(x, y, 2).unwrap(), pair.jaccard, "{name}");
            let overlap = rank_biased_overlap(x, y, 0.75).unwrap();
            assert_within(name, overlap, pair.rank_biased_overlap, STATISTIC);
        }
        assert_eq!(jensen_shannon_divergence(x, x).unwrap(), 0.0);
        assert_eq!(total_variation(x, x).unwrap(), 0.0);
        assert_eq!(rank_biased_overlap(x, x, 0.75).unwrap(), 1.0);
        assert_eq!(top_k_overlap(x, x, 2).unwrap(), 1.0);
        assert_eq!(cosine_similarity(x, x).unwrap(), 1.0);
    }
}

#[test]
fn small_divergences_keep_their_digits() {
    // p = ½ (1 ∓ tanh d / 2) and so on: JS = d² / 8 for two tokens whose logits differ by d, to the first order.
    for exponent in [3, 5, 7] {
        let d = 10.0_f64.powi(-exponent);
        let js = jensen_shannon_divergence(array![0.0, 0.0].view(), array![d, 0.0].view()).unwrap();
        assert!((js / (d * d / 32.0) - 1.0).abs() < 1e-6, "{js:e}");
    }
}

#[test]
fn a_temperature_is_found_to_the_last_digits_of_the_logits() {
    let mut found = 0;
    for (pair, x, y) in pairs() {
        let Some(exact) = pair.temperature else { continue };
        let fit = equivalent_temperature(x.view(), y.view()).unwrap();
        let size = x.iter().fold(0.0_f64, |size, value| size.max(value.abs()));
        let spread = x.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b))
            - x.iter().fold(f64::INFINITY, |a, &b| a.min(b));
        let allowed = 1e-13 * (size / spread).max(1.0);
        let ratio = fit.temperature * exact.inverse_temperature;
        assert_within(&pair.name, ratio, 1.0, allowed);
        assert_within(&pair.name, fit.change, exact.change, 1e-13 * exact.change.max(1.0));
        assert_within(&pair.name, fit.remaining, exact.remaining, 1e-13 * exact.remaining.max(1.0));
        found += 1;
    }
    assert!(found >= 10);
}

#[test]
fn two_tokens_have_the_temperature_that_makes_of_one_odds_the_other() {
    for (clean, intervened) in
        [(2.0, 1.0), (1e-3, 40.0), (-3.0, 700.0), (1e300, -1.0), (1e-300, 5.0), (1.0, 0.5)]
    {
        let fit =
            equivalent_temperature(array![0.0, clean].view(), array![3.0, 3.0 + intervened].view());
        let fit = fit.unwrap();
        let exact = clean / intervened;
        assert!((fit.temperature / exact - 1.0).abs() < 1e-12, "{} {exact}", fit.temperature);
        assert!(fit.remaining < 1e-12);
    }
}

#[test]
fn a_temperature_at_the_edge_is_infinite_or_zero() {
    let clean = array![1.0, 2.0, 4.0];
    let fit =
        |intervened: Array1<f64>| equivalent_temperature(clean.view(), intervened.view()).unwrap();
    assert!(fit(array![5.0, 5.0, 5.0]).temperature.abs() > 1e14);
    assert!(fit(array![5.0, 5.0, 5.0]).remaining < 1e-15);
    let certain = fit(array![-1e9, -1e9, 0.0]);
    assert_eq!((certain.temperature, certain.remaining), (0.0, 0.0));
    let of_the_least = fit(array![0.0, -1e9, -1e9]);
    assert_eq!((of_the_least.temperature, of_the_least.remaining), (-0.0, 0.0));
    assert!(of_the_least.temperature.is_sign_negative());
    let same = fit(clean.clone());
    assert_eq!((same.temperature, same.change, same.explained()), (1.0, 0.0, None));
    // What no temperature does: the middle token.
    let middle = fit(array![0.0, 9.0, 0.0]);
    assert!(middle.explained().unwrap() < 0.6, "{middle:?}");
}

#[test]
fn an_affine_fit_is_the_line_of_least_squares() {
    for (pair, x, y) in pairs() {
        let fit = match affine_fit(x.view(), y.view()) {
            Ok(fit) => fit,
            Err(error) => panic!("{}: {error}", pair.name),
        };
        assert_within(&pair.name, fit.r_squared, pair.pearson.powi(2), 2.0 * CORRELATION);
        if let Some(exact) = pair.temperature {
            assert!(fit.remaining >= exact.remaining - 1e-12, "{}", pair.name);
        }
    }
    // scipy.stats.linregress([1, 2, 4, 7], [3, 1, 6, 5])
    let fit =
        affine_fit(array![1.0, 2.0, 4.0, 7.0].view(), array![3.0, 1.0, 6.0, 5.0].view()).unwrap();
    assert_within("slope", fit.slope, 0.547_619_047_619_047_7, 1e-15);
    assert_within("intercept", fit.intercept, 1.833_333_333_333_333, 1e-14);
    assert_within("r", fit.r_squared, 0.426_957_223_567_393, 1e-14);
}

#[test]
fn a_loss_at_a_temperature_is_that_of_divided_logits() {
    let logits = array![0.5, -2.0, 3.0, 3.0];
    for temperature in [0.1, 0.7, 1.0, 30.0, -2.0] {
        for target in 0..4 {
            let divided = negative_log_likelihood((&logits / temperature).view(), target).unwrap();
            let ours = loss_at_temperature(logits.view(), temperature, target).unwrap();
            assert_within("loss", ours, divided, 1e-14 * divided.max(1.0));
        }
    }
    let at = |temperature, target| loss_at_temperature(logits.view(), temperature, target).unwrap();
    assert_within("uniform", at(f64::INFINITY, 1), 4.0_f64.ln(), 1e-15);
    assert_within("two share it", at(0.0, 2), 2.0_f64.ln(), 1e-15);
    assert_eq!([at(0.0, 0), at(-0.0, 1)], [f64::INFINITY, 0.0]);
    assert_eq!(loss_at_temperature(array![1e308, -1e308].view(), 1e-3, 0).unwrap(), 0.0);
}

#[test]
fn perplexity_is_that_of_the_mean_loss() {
    // torch.exp(torch.tensor([1.5, 0.25, 4.0]).double().mean())
    assert_within(
        "perplexity",
        perplexity(array![1.5, 0.25, 4.0].view()).unwrap(),
        6.798_259_793_203_881,
        1e-12,
    );
    assert_eq!(perplexity(array![0.0, 0.0].view()).unwrap(), 1.0);
    assert_eq!(perplexity(array![1e308, 1e308, 1e308].view()).unwrap(), f64::INFINITY);
    assert_eq!(perplexity(array![f64::INFINITY].view()).unwrap(), f64::INFINITY);
}

#[test]
fn contrasts_are_differences_of_means_and_shares_of_differences() {
    let logits = array![1e308, -1e308, 3.0, 5.0];
    assert_eq!(logit_difference(logits.view(), &[2], &[3]).unwrap(), -2.0);
    assert_eq!(logit_difference(logits.view(), &[2, 3], &[2]).unwrap(), 1.0);
    assert_eq!(share_recovered(1e308, 1.5e308, -1.5e308).unwrap(), 2.5 / 3.0);
    assert_eq!(share_recovered(5e-324, 10e-324, 0.0).unwrap(), 0.5);
    assert_eq!(share_recovered(-1.0, 3.0, 1.0).unwrap(), -1.0);
}

#[test]
fn what_has_no_meaning_is_a_typed_error() {
    let (one, two, zeros) = (array![1.0], array![1.0, 2.0], array![0.0, -0.0]);
    let (nan, equal, empty) = (array![0.0, f64::NAN], array![2.0, 2.0], array![]);
    macro_rules! refused {
        ($call:expr, $reason:pat) => {
            let answer = $call;
            assert!(matches!(answer, Err(Error::Analysis($reason))), "{answer:?}");
        };
    }
    for compare in [jensen_shannon_divergence, total_variation, cosine_similarity, kl_divergence] {
        refused!(compare(one.view(), two.view()), AnalysisError::LengthMismatch { .. });
        refused!(compare(empty.view(), empty.view()), AnalysisError::TooFewValues { .. });
        refused!(compare(two.view(), nan.view()), AnalysisError::BadValue { index: 1, .. });
    }
    refused!(
        cosine_similarity(two.view(), zeros.view()),
        AnalysisError::ZeroNorm { which: "second", .. }
    );
    refused!(top_k_overlap(two.view(), two.view(), 3), AnalysisError::TopKOutOfRange { .. });
    refused!(top_k_overlap(one.view(), two.view(), 1), AnalysisError::LengthMismatch { .. });
    for persistence in [0.0, 1.0, -1.0, f64::NAN] {
        refused!(
            rank_biased_overlap(two.view(), two.view(), persistence),
            AnalysisError::OutOfRange { .. }
        );
    }
    refused!(
        rank_biased_overlap(empty.view(), empty.view(), 0.5),
        AnalysisError::TooFewValues { .. }
    );
    refused!(
        equivalent_temperature(equal.view(), two.view()),
        AnalysisError::ZeroVariance { which: "first", .. }
    );
    refused!(equivalent_temperature(two.view(), nan.view()), AnalysisError::BadValue { .. });
    refused!(
        affine_fit(two.view(), equal.view()),
        AnalysisError::ZeroVariance { which: "second", .. }
    );
    refused!(loss_at_temperature(two.view(), f64::NAN, 0), AnalysisError::BadValue { .. });
    refused!(perplexity(empty.view()), AnalysisError::TooFewValues { .. });
    refused!(perplexity(array![-1e-9].view()), AnalysisError::BadValue { .. });
    refused!(logit_difference(two.view(), &[], &[0]), AnalysisError::TooFewValues { .. });
    refused!(share_recovered(1.0, 2.0, 2.0), AnalysisError::NoDifference { .. });
    refused!(share_recovered(f64::INFINITY, 2.0, 1.0), AnalysisError::BadValue { .. });
    assert!(matches!(
        logit_difference(two.view(), &[0], &[2]),
        Err(Error::Batch(BatchError::TokenOutOfRange { given: 2, d_vocab: 2 }))
    ));
    assert!(loss_at_temperature(two.view(), 1.0, 2).is_err());
}

proptest! {
    #[test]
    fn no_other_temperature_comes_nearer(
        values in prop::collection::vec((-30.0..30.0, -30.0..30.0), 2..40),
        other in -3.0..3.0_f64,
    ) {
        let (clean, intervened): (Vec<f64>, Vec<f64>) = values.into_iter().unzip();
        let (clean, intervened) = (Array1::from(clean), Array1::from(intervened));
        let fit = equivalent_temperature(clean.view(), intervened.view()).unwrap();
        let at = |coldness: f64| kl_divergence(intervened.view(), (&clean * coldness).view()).unwrap();
        // Where two logits nearly meet, the best temperature may be tiny, and what is divided by it as large.
        let divided = clean.iter().fold(0.0_f64, |most, logit| most.max((logit / fit.temperature).abs()));
        let rounding = 1e-12 * (1.0 + fit.remaining) + 4.0 * f64::EPSILON * divided;
        prop_assert!((at(1.0 / fit.temperature) - fit.remaining).abs() <= rounding);
        prop_assert!(fit.remaining <= at(other) + rounding);
        prop_assert!(fit.remaining <= fit.change + rounding);
        prop_assume!(intervened.iter().any(|&logit| logit != intervened[0]));
        let line = affine_fit(clean.view(), intervened.view()).unwrap();
        prop_assert!(fit.remaining <= line.remaining + rounding);
    }

    #[test]
    fn distances_are_symmetric_bounded_and_ordered(
        values in prop::collection::vec((-50.0..50.0, -50.0..50.0), 1..40),
    ) {
        let (x, y): (Vec<f64>, Vec<f64>) = values.into_iter().unzip();
        let (x, y) = (Array1::from(x), Array1::from(y));
        let (js, tv) = (
            jensen_shannon_divergence(x.view(), y.view()).unwrap(),
            total_variation(x.view(), y.view()).unwrap(),
        );
        prop_assert_eq!(js, jensen_shannon_divergence(y.view(), x.view()).unwrap());
        prop_assert_eq!(tv, total_variation(y.view(), x.view()).unwrap());
        // Lin 1991; Pinsker's inequality.
        prop_assert!(js <= tv * 2.0_f64.ln() + 1e-14);
        prop_assert!(tv * tv / 2.0 <= js + 1e-14);
        prop_assert!(2.0 * tv * tv <= kl_divergence(x.view(), y.view()).unwrap() + 1e-12);
    }
}
