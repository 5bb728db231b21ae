//! Statistics against exact arithmetic, and their laws.

use hooked_gpt2::Error;
use hooked_gpt2::analysis::correlation::{pearson, spearman};
use hooked_gpt2::analysis::divergence::kl_divergence;
use hooked_gpt2::analysis::entropy::entropy;
use hooked_gpt2::analysis::loss::{log_softmax, negative_log_likelihood};
use hooked_gpt2::analysis::rank::{rank_of, top_k};
use hooked_gpt2::analysis::spread::{mean_shift, share_shrunk, std_ratio};
use hooked_gpt2::error::{AnalysisError, BatchError};
use ndarray::{Array1, arr1, array};
use proptest::prelude::*;
use serde::Deserialize;

use crate::support::fixtures;
use crate::tolerance::{CORRELATION, STATISTIC};

#[derive(Deserialize)]
struct Statistics {
    pairs: Vec<Pair>,
    logits: Vec<LogitsCase>,
}

#[derive(Deserialize)]
struct Pair {
    name: String,
    x: Vec<f64>,
    y: Vec<f64>,
    pearson: f64,
    spearman: f64,
    kl_divergence: Finite,
    mean_shift: Finite,
    std_ratio: Finite,
}

#[derive(Deserialize)]
struct LogitsCase {
    name: String,
    values: Vec<f64>,
    target: u32,
    log_softmax: Vec<Finite>,
    loss: Finite,
    entropy: f64,
    rank: usize,
}

/// An exact number, `None` where it is too large for an f64.
type Finite = Option<f64>;

fn statistics() -> Statistics {
    let path = fixtures().join("statistics.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The digits of `ours` are those of `exact`; what is below `size` counts as `size`.
#[track_caller]
fn assert_close(name: &str, ours: f64, exact: f64, size: f64) {
    let allowed = STATISTIC * exact.abs().max(size).max(f64::MIN_POSITIVE);
    let close = ours == exact || (ours - exact).abs() <= allowed;
    assert!(close, "{name}: {ours:e}, exactly {exact:e}");
}

#[test]
fn correlations_and_spreads_are_exact_whatever_mean_and_size_the_values_have() {
    let pairs = statistics().pairs;
    assert!(pairs.len() >= 30);
    for Pair {
        name, x, y, pearson: r, spearman: rho, mean_shift: shift, std_ratio: ratio, ..
    } in pairs
    {
        let (x, y) = (arr1(&x), arr1(&y));
        for (statistic, exact) in [(pearson as fn(_, _) -> _, r), (spearman, rho)] {
            let ours: f64 = statistic(x.view(), y.view()).unwrap();
            assert!((ours - exact).abs() <= CORRELATION, "{name}: {ours}, exactly {exact}");
        }
        let shift = shift.unwrap_or(f64::INFINITY);
        assert_close(&name, mean_shift(x.view(), y.view()).unwrap(), shift, 0.0);
        let ratio = ratio.unwrap_or(f64::INFINITY);
        assert_close(&name, std_ratio(x.view(), y.view()).unwrap(), ratio, 0.0);
    }
}

#[test]
fn divergences_are_exact_however_far_logits_are_apart() {
    for Pair { name, x, y, kl_divergence: expected, .. } in statistics().pairs {
        let (x, y) = (arr1(&x), arr1(&y));
        let divergence = kl_divergence(x.view(), y.view()).unwrap();
        // Two logarithms of about 1 are subtracted.
        assert_close(&name, divergence, expected.unwrap_or(f64::INFINITY), 1.0);
        assert_eq!(kl_divergence(x.view(), x.view()).unwrap(), 0.0);
    }
}

#[test]
fn losses_entropies_and_ranks_are_exact_however_far_logits_are_apart() {
    let cases = statistics().logits;
    assert!(cases.len() >= 15);
    for LogitsCase { name, values, target, log_softmax: expected, loss, entropy: h, rank } in cases
    {
        let values = arr1(&values);
        for (ours, exact) in log_softmax(values.view()).unwrap().iter().zip(expected) {
            assert_close(&name, *ours, exact.unwrap_or(f64::NEG_INFINITY), 0.0);
        }
        let ours = negative_log_likelihood(values.view(), target).unwrap();
        assert_close(&name, ours, loss.unwrap_or(f64::INFINITY), 0.0);
        assert!(ours.is_sign_positive(), "{name}: a loss of {ours}");
        assert_close(&name, entropy(values.view()).unwrap(), h, 0.0);
        if !name.starts_with("tied")
            && !["uniform", "further_apart_than_the_largest"].contains(&&*name)
        {
            assert_eq!(rank_of(values.view(), target).unwrap(), rank, "{name}");
        }
    }
}

#[test]
fn zeros_of_both_signs_are_a_tie() {
    let logits = array![0.0, -0.0, 1.0, -0.0, 0.0];
    let ranks: Vec<_> = (0..5).map(|token| rank_of(logits.view(), token).unwrap()).collect();
    assert_eq!(ranks, [1, 2, 0, 3, 4]);
    let top: Vec<_> = top_k(logits.view(), 5).unwrap().iter().map(|top| top.token).collect();
    assert_eq!(top, [2, 0, 1, 3, 4]);
    let unsigned = logits.mapv(f64::abs);
    let other = array![3.0, 1.0, 4.0, 1.0, 5.0];
    assert_eq!(
        spearman(logits.view(), other.view()).unwrap(),
        spearman(unsigned.view(), other.view()).unwrap()
    );
}

#[test]
fn ties_rank_in_the_order_of_token_ids() {
    let logits = array![1.0, 2.0, 2.0, 0.0, 2.0];
    let ranks: Vec<_> = (0..5).map(|token| rank_of(logits.view(), token).unwrap()).collect();
    assert_eq!(ranks, [3, 0, 1, 4, 2]);
    let top: Vec<_> = top_k(logits.view(), 5).unwrap().iter().map(|top| top.token).collect();
    assert_eq!(top, [1, 2, 4, 0, 3]);
}

#[test]
fn shrinking_counts_the_logits_that_came_nearer_to_zero() {
    let (clean, scaled) = (array![-4.0, 4.0, 1.0, 0.0], array![-2.0, -3.0, 1.0, 1.0]);
    assert_eq!(share_shrunk(clean.view(), scaled.view()).unwrap(), 0.5);
}

#[test]
fn degenerate_input_is_a_typed_error() {
    let (empty, one, two) = (array![], array![1.0], array![1.0, 2.0]);
    let nan = array![0.0, f64::NAN];
    let infinite = array![0.0, f64::INFINITY];
    let equal = Array1::from_elem(30, 0.1);
    let rising = Array1::from_iter((0..30).map(f64::from));

    assert!(matches!(
        log_softmax(empty.view()),
        Err(Error::Analysis(AnalysisError::TooFewValues { .. }))
    ));
    assert!(matches!(
        log_softmax(nan.view()),
        Err(Error::Analysis(AnalysisError::BadValue { index: 1, .. }))
    ));
    assert!(matches!(
        log_softmax(infinite.view()),
        Err(Error::Analysis(AnalysisError::BadValue { index: 1, .. }))
    ));
    assert!(matches!(entropy(nan.view()), Err(Error::Analysis(AnalysisError::BadValue { .. }))));
    assert!(matches!(
        negative_log_likelihood(two.view(), 2),
        Err(Error::Batch(BatchError::TokenOutOfRange { given: 2, d_vocab: 2 }))
    ));
    assert!(matches!(rank_of(nan.view(), 0), Err(Error::Analysis(AnalysisError::BadValue { .. }))));
    assert!(matches!(
        rank_of(two.view(), 9),
        Err(Error::Batch(BatchError::TokenOutOfRange { .. }))
    ));
    assert_eq!(rank_of(infinite.view(), 0).unwrap(), 1);
    for k in [0, 3] {
        let error = top_k(two.view(), k);
        assert!(matches!(
            error,
            Err(Error::Analysis(AnalysisError::TopKOutOfRange { allowed: 2, .. }))
        ));
    }
    assert!(matches!(top_k(nan.view(), 1), Err(Error::Analysis(AnalysisError::BadValue { .. }))));
    for statistic in [pearson, spearman] {
        assert!(matches!(
            statistic(one.view(), one.view()),
            Err(Error::Analysis(AnalysisError::TooFewValues { .. }))
        ));
        assert!(matches!(
            statistic(one.view(), two.view()),
            Err(Error::Analysis(AnalysisError::LengthMismatch { left: 1, right: 2, .. }))
        ));
        assert!(matches!(
            statistic(two.view(), nan.view()),
            Err(Error::Analysis(AnalysisError::BadValue { .. }))
        ));
        assert!(matches!(
            statistic(rising.view(), equal.view()),
            Err(Error::Analysis(AnalysisError::ZeroVariance { which: "second", .. }))
        ));
        assert!(matches!(
            statistic(equal.view(), rising.view()),
            Err(Error::Analysis(AnalysisError::ZeroVariance { which: "first", .. }))
        ));
    }
    assert!(matches!(
        std_ratio(equal.view(), rising.view()),
        Err(Error::Analysis(AnalysisError::ZeroVariance { .. }))
    ));
    assert_eq!(std_ratio(rising.view(), equal.view()).unwrap(), 0.0);
    assert!(matches!(
        mean_shift(empty.view(), empty.view()),
        Err(Error::Analysis(AnalysisError::TooFewValues { .. }))
    ));
}

fn logits() -> impl Strategy<Value = Array1<f64>> {
    prop::collection::vec(-1e4..1e4, 2..60).prop_map(Array1::from)
}

fn pair() -> impl Strategy<Value = (Array1<f64>, Array1<f64>)> {
    prop::collection::vec((-1e4..1e4, -1e4..1e4), 3..60).prop_map(|pairs| {
        let (x, y): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        (x.into(), y.into())
    })
}

proptest! {
    #[test]
    fn probabilities_sum_to_one_and_do_not_see_a_common_shift(x in logits(), shift in -1e6..1e6) {
        let log_probs = log_softmax(x.view()).unwrap();
        prop_assert!((log_probs.mapv(f64::exp).sum() - 1.0).abs() < 1e-12);
        let shifted = log_softmax(x.mapv(|logit| logit + shift).view()).unwrap();
        // Adding 1e6 rounds the logits themselves to 1e-10.
        prop_assert!((&log_probs - &shifted).iter().all(|difference| difference.abs() < 1e-9));
    }

    #[test]
    fn entropy_lies_between_certainty_and_uniformity(x in logits()) {
        let h = entropy(x.view()).unwrap();
        prop_assert!((-1e-12..=(x.len() as f64).ln() + 1e-12).contains(&h));
    }

    #[test]
    fn divergences_are_never_below_zero(x in logits(), shift in -1e6..1e6) {
        let shifted = x.mapv(|logit| logit + shift);
        prop_assert!(kl_divergence(x.view(), shifted.view()).unwrap() >= 0.0);
    }

    #[test]
    fn ranks_are_a_permutation_and_agree_with_the_top(x in logits()) {
        let mut ranks: Vec<_> = (0..x.len() as u32).map(|t| rank_of(x.view(), t).unwrap()).collect();
        let top = top_k(x.view(), x.len()).unwrap();
        for (place, ranked) in top.iter().enumerate() {
            prop_assert_eq!(ranks[ranked.token as usize], place);
            prop_assert_eq!(ranked.logit, x[ranked.token as usize]);
        }
        ranks.sort_unstable();
        prop_assert_eq!(ranks, (0..x.len()).collect::<Vec<_>>());
        for k in 1..x.len() {
            prop_assert_eq!(&top_k(x.view(), k).unwrap()[..], &top[..k]);
        }
    }

    #[test]
    fn pearson_is_symmetric_bounded_and_blind_to_positive_affine_maps(
        (x, y) in pair(),
        scale in 1e-3..1e3,
        shift in -1e3..1e3,
    ) {
        let r = pearson(x.view(), y.view()).unwrap();
        prop_assert!((-1.0..=1.0).contains(&r));
        prop_assert_eq!(r, pearson(y.view(), x.view()).unwrap());
        let mapped = y.mapv(|value| scale * value + shift);
        prop_assert!((r - pearson(x.view(), mapped.view()).unwrap()).abs() < 1e-9);
        prop_assert!((r + pearson(x.view(), (-&y).view()).unwrap()).abs() < 1e-12);
        prop_assert_eq!(pearson(x.view(), x.view()).unwrap(), 1.0);
    }

    #[test]
    fn spearman_sees_order_alone((x, y) in pair()) {
        let rho = spearman(x.view(), y.view()).unwrap();
        let bent = y.mapv(|value| (value / 2e3).exp());
        prop_assert!((rho - spearman(x.view(), bent.view()).unwrap()).abs() < 1e-12);
    }
}

/// By hand: the probabilities are 1/4, 3/4 and 0.
#[test]
fn a_token_that_minus_infinity_bans_has_no_probability_and_takes_none() {
    let banned = array![0.0, 3_f64.ln(), f64::NEG_INFINITY];
    let other = array![0.0, 0.0, f64::NEG_INFINITY];
    let all = array![0.0, 0.0, 0.0];
    let loss = |token| negative_log_likelihood(banned.view(), token).unwrap();
    approx::assert_relative_eq!(loss(0), 4_f64.ln(), max_relative = 1e-15);
    approx::assert_relative_eq!(loss(1), (4.0 / 3.0_f64).ln(), max_relative = 1e-15);
    assert_eq!(loss(2), f64::INFINITY);
    assert_eq!(top_k(banned.view(), 3).unwrap()[2].log_prob, f64::NEG_INFINITY);
    let bits = 0.25 * 4_f64.ln() + 0.75 * (4.0 / 3.0_f64).ln();
    approx::assert_relative_eq!(entropy(banned.view()).unwrap(), bits, max_relative = 1e-15);
    let divergence = |p: &Array1<f64>, q: &Array1<f64>| kl_divergence(p.view(), q.view()).unwrap();
    let apart = 0.25 * 0.5_f64.ln() + 0.75 * 1.5_f64.ln();
    approx::assert_relative_eq!(divergence(&banned, &other), apart, max_relative = 1e-14);
    assert_eq!(divergence(&all, &other), f64::INFINITY);
    approx::assert_relative_eq!(divergence(&other, &all), 1.5_f64.ln(), max_relative = 1e-14);
}
