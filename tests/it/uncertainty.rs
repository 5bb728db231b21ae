//! Intervals and tests, against all resamples and against SciPy and statsmodels.

use hooked_gpt2::Error;
use hooked_gpt2::analysis::uncertainty::{
    benjamini_hochberg, bootstrap_mean, holm, sign_flip_p_value,
};
use hooked_gpt2::error::AnalysisError;
use ndarray::{Array1, array};

fn close(ours: &Array1<f64>, theirs: &[f64]) -> bool {
    ours.iter().zip(theirs).all(|(a, b)| (a - b).abs() < 1e-15) && ours.len() == theirs.len()
}

#[test]
fn a_bootstrap_interval_is_that_of_all_resamples() {
    // numpy.quantile of the means of all 4^4 resamples: few numbers, so that drawn ones end at the same.
    let values = array![0.3, -0.1, 0.25, 0.4];
    for (level, low, high) in [(0.5, 0.15, 0.2875), (0.8, 0.0875, 0.3375), (0.95, 0.0, 0.3625)] {
        let interval = bootstrap_mean(values.view(), level, 200_000, 3).unwrap();
        assert!((interval.mean - 0.2125).abs() < 1e-15);
        assert!((interval.low - low).abs() < 1e-12, "{level}: {interval:?}");
        assert!((interval.high - high).abs() < 1e-12, "{level}: {interval:?}");
    }
}

#[test]
fn a_bootstrap_is_seeded_and_lies_between_numbers_as_numpy_does() {
    let values = array![1.0, 2.0, 4.0];
    let interval = |level, resamples, seed| bootstrap_mean(values.view(), level, resamples, seed);
    assert_eq!(interval(0.9, 1000, 5).unwrap(), interval(0.9, 1000, 5).unwrap());
    assert_ne!(interval(0.9, 10, 5).unwrap(), interval(0.9, 10, 6).unwrap());
    // Of two means, the share 0.25 lies a quarter of the way from one to the other.
    let (half, whole) = (interval(0.5, 2, 1).unwrap(), interval(1.0 - 1e-12, 2, 1).unwrap());
    let width = whole.high - whole.low;
    assert!(
        width > 0.0 && (half.low - (whole.low + width / 4.0)).abs() < 1e-9,
        "{half:?} {whole:?}"
    );
    for equal in [array![0.1], array![0.1, 0.1, 0.1]] {
        let interval = bootstrap_mean(equal.view(), 0.95, 100, 0).unwrap();
        let ends = [interval.mean, interval.low, interval.high];
        assert!(ends.iter().all(|end| (end - 0.1).abs() < 1e-16), "{interval:?}");
    }
}

#[test]
fn sign_flips_are_those_of_scipy() {
    // scipy.stats.permutation_test(…, permutation_type="samples", n_resamples=inf)
    let differences = array![1.0, 2.0, -0.5, 3.0, 0.75, -1.0, 2.5, 0.1];
    assert_eq!(sign_flip_p_value(differences.view(), 256, 0).unwrap(), 0.109375);
    assert_eq!(sign_flip_p_value(array![1.0, 1.0, 1.0, -1.0].view(), 100, 0).unwrap(), 0.625);
    assert_eq!(sign_flip_p_value(array![0.0, 0.0].view(), 100, 0).unwrap(), 1.0);
    // What adds up to the same by another way is as far, though it rounds otherwise.
    assert_eq!(sign_flip_p_value(array![-0.3, 0.1, 0.2, 0.05].view(), 100, 0).unwrap(), 1.0);

    // All 2^20 signs, and some of them.
    let many = Array1::from_iter((0..20).map(|i| (f64::from(i) * 1.7).sin() + 0.3));
    let exact = 0.057_046_890_258_789_06;
    assert_eq!(sign_flip_p_value(many.view(), 1 << 20, 0).unwrap(), exact);
    let drawn = sign_flip_p_value(many.view(), 100_000, 1).unwrap();
    // Four standard deviations.
    assert!((drawn - exact).abs() < 4.0 * (exact * (1.0 - exact) / 1e5).sqrt(), "{drawn}");
    assert_eq!(drawn, sign_flip_p_value(many.view(), 100_000, 1).unwrap());
    // So far none of the drawn ones is: yet it is not 0.
    let far = Array1::from_elem(100, 1.0);
    assert_eq!(sign_flip_p_value(far.view(), 999, 0).unwrap(), 1.0 / 1000.0);
}

#[test]
fn corrections_are_those_of_statsmodels_and_scipy() {
    let p_values = array![0.01, 0.04, 0.03, 0.005, 0.5, 0.04, 1.0, 0.0];
    // statsmodels.stats.multitest.multipletests(…, method="holm")
    let theirs = [0.06, 0.16, 0.15, 0.035, 1.0, 0.16, 1.0, 0.0];
    assert!(close(&holm(p_values.view()).unwrap(), &theirs));
    // scipy.stats.false_discovery_control
    let fifth = 0.053_333_333_333_333_33;
    let theirs = [0.026_666_666_666_666_665, fifth, fifth, 0.02, 4.0 / 7.0, fifth, 1.0, 0.0];
    assert!(close(&benjamini_hochberg(p_values.view()).unwrap(), &theirs));
    assert_eq!(holm(array![0.2].view()).unwrap(), array![0.2]);
    assert_eq!(benjamini_hochberg(array![0.2].view()).unwrap(), array![0.2]);
}

#[test]
fn what_has_no_meaning_is_a_typed_error() {
    let (empty, one, nan) = (array![], array![1.0], array![0.5, f64::NAN]);
    macro_rules! refused {
        ($call:expr, $reason:pat) => {
            let answer = $call;
            assert!(matches!(answer, Err(Error::Analysis($reason))), "{answer:?}");
        };
    }
    refused!(bootstrap_mean(empty.view(), 0.9, 10, 0), AnalysisError::TooFewValues { .. });
    refused!(bootstrap_mean(nan.view(), 0.9, 10, 0), AnalysisError::BadValue { index: 1, .. });
    refused!(bootstrap_mean(one.view(), 0.9, 0, 0), AnalysisError::OutOfRange { .. });
    for level in [0.0, 1.0, 95.0, f64::NAN] {
        refused!(bootstrap_mean(one.view(), level, 10, 0), AnalysisError::OutOfRange { .. });
    }
    refused!(sign_flip_p_value(empty.view(), 10, 0), AnalysisError::TooFewValues { .. });
    refused!(sign_flip_p_value(nan.view(), 10, 0), AnalysisError::BadValue { .. });
    refused!(sign_flip_p_value(one.view(), 0, 0), AnalysisError::OutOfRange { .. });
    for correct in [holm, benjamini_hochberg] {
        refused!(correct(empty.view()), AnalysisError::TooFewValues { .. });
        refused!(correct(nan.view()), AnalysisError::OutOfRange { .. });
        refused!(correct(array![0.1, 1.1].view()), AnalysisError::OutOfRange { .. });
        refused!(correct(array![-0.1].view()), AnalysisError::OutOfRange { .. });
    }
}
