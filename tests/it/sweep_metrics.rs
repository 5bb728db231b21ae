//! What a sweep measures, refuses to measure, and tells of its variants.

use hooked_gpt2::analysis::loss::negative_log_likelihood;
use hooked_gpt2::error::{BatchError, Error, SweepError};
use hooked_gpt2::hook::{At, Positions, Site};
use hooked_gpt2::intervention::{Interventions, LayerScaling};
use hooked_gpt2::sweep::{
    Axis, DeltaLoss, KlDivergence, LogitDifference, Loss, Metric, NextTokenLoss, Plan, Probability,
    ProbabilityDifference, Rank, Replacement, Sweep, TopTokenChanged, Variants,
};
use hooked_gpt2::{Batch, Gpt2, Precision};

use crate::support::{single, tiny};

fn batch() -> Batch {
    Batch::new([vec![3, 14, 15, 92, 65], vec![35, 89, 79]]).unwrap()
}

fn with_plan<T>(model: &Gpt2, score: Positions, use_it: impl FnOnce(&Plan<'_>) -> T) -> T {
    let batch = batch();
    let variants =
        Variants::layer_factors(0..model.config().n_layers, &[0.5, 2.0], &batch).unwrap();
    use_it(&Sweep::new(model, &batch).score(score).plan(&variants).unwrap())
}

fn refused(model: &Gpt2, score: Positions, metrics: &[&dyn Metric]) -> SweepError {
    match with_plan(model, score, |plan| plan.measure(metrics)) {
        Err(Error::Sweep(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_metrics_of_one_name_are_refused_and_can_be_renamed() {
    let model = tiny(Precision::F64);
    let (first, second) = (Loss::of(3), Loss::of(4));
    let error = refused(&model, Positions::last(), &[&first, &Rank::of(3), &second]);
    assert!(matches!(error, SweepError::MetricTwice { ref name } if name == "loss"), "{error}");
    let second = second.named("loss of 4");
    let results =
        with_plan(&model, Positions::last(), |plan| plan.measure(&[&first, &second])).unwrap();
    let of = |name: &str| results.values(name).unwrap()[[1, 0, 0, 0]];
    assert_ne!(of("loss"), of("loss of 4"));
}

#[test]
fn one_target_at_several_positions_is_refused_unless_it_is_meant() {
    let model = tiny(Precision::F64);
    for metric in [&Loss::of(3) as &dyn Metric, &Rank::of_each([3, 4]), &LogitDifference::of(3, 4)]
    {
        let error = refused(&model, Positions::all(), &[metric]);
        let expected =
            SweepError::OneTarget { metric: metric.name().into(), sequence: 0, positions: 5 };
        assert_eq!(error.to_string(), expected.to_string());
    }
    let everywhere = Loss::of(3).at_every_position();
    let results = with_plan(&model, Positions::all(), |plan| plan.measure(&[&everywhere])).unwrap();
    let clean = model.run(&batch()).execute().unwrap().logits;
    for position in 0..3 {
        let expected = negative_log_likelihood(clean.at(1, position).unwrap().view(), 3).unwrap();
        let found = results.base("loss").unwrap()[[1, position]];
        assert!((found - expected).abs() < 1e-12);
    }
}

#[test]
fn all_positions_of_a_ragged_batch_are_scored_and_what_is_not_there_is_nan() {
    let model = tiny(Precision::F64);
    let batch = batch();
    let results = with_plan(&model, Positions::all(), |plan| {
        let shared = plan.measure(&[&NextTokenLoss, &TopTokenChanged]).unwrap();
        let isolated = plan.measure_isolated(&[&NextTokenLoss, &TopTokenChanged]).unwrap();
        for name in ["next_token_loss", "top_token_changed"] {
            let (a, b) = (shared.values(name).unwrap(), isolated.values(name).unwrap());
            for (a, b) in a.iter().zip(&b) {
                assert!((a.is_nan() && b.is_nan()) || (a - b).abs() < 1e-9, "{a} {b}");
            }
        }
        shared
    });
    assert_eq!(results.positions(0).unwrap(), [0, 1, 2, 3, 4]);
    assert_eq!(results.positions(1).unwrap(), [0, 1, 2]);
    assert!(results.positions(2).is_err());
    let losses = results.values("next_token_loss").unwrap();
    assert_eq!(losses.shape(), [3, 2, 2, 5]);
    let mut scaling = LayerScaling::new();
    scaling.insert(1, 2.0).unwrap();
    let scaled = model.run(&batch).hooks(&scaling).execute().unwrap().logits;
    let clean = model.run(&batch).execute().unwrap().logits;
    for (sequence, tokens) in batch.sequences().iter().enumerate() {
        for position in 0..5 {
            let found = losses[[1, 1, sequence, position]];
            match tokens.get(position + 1) {
                Some(&next) => {
                    let logits = scaled.at(sequence, position).unwrap();
                    let expected = negative_log_likelihood(logits.view(), next).unwrap();
                    assert!((found - expected).abs() < 1e-9);
                    let top = |logits: &ndarray::Array1<f64>| {
                        let top = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
                        top.unwrap().0
                    };
                    let changed = top(&logits) != top(&clean.at(sequence, position).unwrap());
                    let found = results.values("top_token_changed").unwrap();
                    assert_eq!(found[[1, 1, sequence, position]], f64::from(changed));
                }
                None => assert!(found.is_nan()),
            }
        }
    }
    // A value that is not there by definition is no failure.
    assert_eq!(results.failures().count(), 0);
    let error = refused(&model, Positions::last(), &[&NextTokenLoss]);
    assert!(matches!(error, SweepError::NoNextToken { .. }), "{error}");
}

#[test]
fn targets_that_do_not_fit_are_found_before_anything_is_computed() {
    let model = tiny(Precision::F64);
    let measure = |metric: &dyn Metric| {
        let metrics = [metric];
        with_plan(&model, Positions::last(), |plan| {
            plan.measure_with_progress(&metrics, |_| panic!("a block was computed"))
        })
        .unwrap_err()
    };
    for metric in [
        &Loss::of(101) as &dyn Metric,
        &DeltaLoss::of_each([3, 101]),
        &LogitDifference::of(3, 101),
        &LogitDifference::of(101, 3).named("other"),
    ] {
        let error = measure(metric);
        let expected = BatchError::TokenOutOfRange { given: 101, d_vocab: 101 };
        assert_eq!(error.to_string(), expected.to_string());
    }
    let error = measure(&Loss::of_each([3]));
    assert!(
        matches!(error, Error::Sweep(SweepError::TargetCount { given: 1, needed: 2, .. })),
        "{error}"
    );
}

#[test]
fn variants_that_change_nothing_are_listed() {
    let model = tiny(Precision::F64);
    let batch = batch();
    let sites = (0..3).map(Site::resid_pre);
    let own = model.run(&batch).capture(sites).execute().unwrap().activations;
    // The clean run, patched into itself.
    let variants =
        Variants::patched_heads(model.config(), Site::z, Replacement::Zero, &batch).unwrap();
    let results = Sweep::new(&model, &batch).plan(&variants).unwrap().measure(&[]).unwrap();
    assert!(results.unchanged().is_empty());
    let itself = Variants::over(
        [Axis::new("layer", [0, 1, 2]), Axis::new("what", ["own", "scaled", "skipped"])],
        |index, sequence| {
            let mut hooks = Interventions::new();
            let at = At::resid_pre(index[0]);
            match index[1] {
                0 => hooks.set(at, &own.get(Site::resid_pre(index[0]), sequence)?)?,
                1 => hooks.scale(at, if sequence == 1 { 1.0 } else { 2.0 })?,
                _ => hooks.skip(index[0]),
            };
            Ok(hooks)
        },
        &batch,
    );
    let itself = itself.unwrap();
    let plan = Sweep::new(&model, &batch).plan(&itself).unwrap();
    for results in [plan.measure(&[]).unwrap(), plan.measure_isolated(&[]).unwrap()] {
        let mut unchanged = results.unchanged();
        unchanged.sort();
        let expected: Vec<_> = (0..3)
            .flat_map(|layer| [(vec![layer, 0], 0), (vec![layer, 0], 1), (vec![layer, 1], 1)])
            .collect();
        assert_eq!(unchanged, expected);
        for layer in 0..3 {
            let norm = own.get(Site::resid_pre(layer), 0).unwrap().norm().double_value(&[]);
            let change = results.change_l2(&[layer, 1], 0).unwrap();
            assert!((change - norm).abs() <= 1e-12 * norm, "{change} {norm}");
            assert_eq!(results.change_l2(&[layer, 0], 0).unwrap(), 0.0);
        }
        assert!(matches!(
            results.change_l2(&[3, 0], 0),
            Err(Error::Sweep(SweepError::NoSuchPoint { .. }))
        ));
    }
}

#[test]
fn variants_belong_to_the_tokens_that_they_were_made_for() {
    let model = tiny(Precision::F64);
    let variants = Variants::skipped_blocks(model.config(), &batch()).unwrap();
    let other = Batch::new([vec![3, 14, 15, 92, 65], vec![35, 89, 78]]).unwrap();
    let error = Sweep::new(&model, &other).plan(&variants).map(drop).unwrap_err();
    assert!(matches!(error, Error::Sweep(SweepError::OtherTokens { sequence: 1 })), "{error}");
    assert!(Sweep::new(&model, &batch()).plan(&variants).is_ok());
}

#[test]
fn axes_with_more_points_than_can_be_counted_are_refused() {
    let axes = (0..4).map(|axis| Axis::counting(format!("{axis}"), 1 << 16));
    let none =
        |_: &[usize], _| -> hooked_gpt2::Result<Interventions> { panic!("no point is made") };
    let error = Variants::over(axes, none, &batch()).map(drop).unwrap_err();
    assert!(matches!(error, Error::Sweep(SweepError::TooManyPoints { .. })), "{error}");
}

#[test]
fn the_change_of_a_variant_is_that_of_all_its_hooks_however_small() {
    let model = tiny(Precision::F64);
    let batch = Batch::single([3, 14, 15, 92, 65]).unwrap();
    let hooks = |index: &[usize], _| {
        let mut hooks = Interventions::new();
        if index[0] == 0 {
            hooks.zero(At::z(0)).zero(At::mlp_out(0));
        } else {
            let at = At::resid_pre(0).positions(Positions::at(0)).channels([0]);
            hooks.scale(at, 1.0 + 1e-12)?;
        }
        Ok(hooks)
    };
    let variants = Variants::over([Axis::counting("which", 2)], hooks, &batch).unwrap();
    let results = Sweep::new(&model, &batch).plan(&variants).unwrap().measure(&[]).unwrap();
    let run = model.run(&batch).hooks(&hooks(&[0], 0).unwrap()).execute().unwrap();
    let entries = run.ledger.entries();
    let expected = entries[0].change_l2.hypot(entries[1].change_l2);
    let found = results.change_l2(&[0], 0).unwrap();
    assert!((found - expected).abs() <= 1e-9 * expected, "{found} {expected}");
    assert!(results.unchanged().is_empty());
}

#[test]
fn variants_are_counted_once_however_many_positions_are_scored() {
    let model = tiny(Precision::F64);
    let results = with_plan(&model, Positions::all(), |plan| plan.measure(&[])).unwrap();
    assert_eq!(results.measured(), 3 * 2 * 2);
}

#[test]
fn what_fails_is_named_wherever_it_stands_in_its_pass() {
    let model = tiny(Precision::F64);
    let batch = Batch::single([3, 14, 15, 92, 65]).unwrap();
    for broken in 0..3 {
        let hooks = |index: &[usize], _| {
            let (mut hooks, fails) = (Interventions::new(), index[0] == broken);
            hooks.edit("one of three", At::resid_post(1), move |x, _| {
                if fails { Err(Error::other("as it must")) } else { Ok(x.f_alias_copy()?) }
            });
            Ok(hooks)
        };
        let variants = Variants::over([Axis::counting("x", 3)], hooks, &batch).unwrap();
        let plan = Sweep::new(&model, &batch).plan(&variants).unwrap();
        let Err(Error::Sweep(SweepError::Variant { variant, .. })) = plan.measure(&[]) else {
            panic!("the variant is not named");
        };
        assert_eq!(variant, format!("x {broken}, sequence 0"));
    }
}

#[test]
fn a_run_of_other_lengths_is_not_patched_in() {
    let model = tiny(Precision::F64);
    let batch = Batch::single([3, 14, 15]).unwrap();
    for other in [vec![1, 2, 3, 4, 5], vec![1, 2]] {
        let needed = other.len();
        let other = Batch::single(other).unwrap();
        let kept = model.run(&other).capture((0..3).map(Site::resid_pre)).execute().unwrap();
        let with = Replacement::Resample(&kept.activations);
        let error = Variants::patched_positions(model.config(), Site::resid_pre, with, &batch);
        let error = error.map(drop).unwrap_err();
        assert!(
            matches!(error, Error::Sweep(SweepError::OtherLength { given, needed: 3, .. }) if given == needed),
            "{error}"
        );
    }
}

#[test]
fn a_banned_token_leaves_the_metrics_of_others_a_value() {
    let (model, batch) = (tiny(Precision::F64), single(&[3, 14, 15]));
    let ban = |_: &[usize], _: usize| {
        let mut hooks = Interventions::new();
        hooks.edit("ban", At::unembed().tokens([7]), |x, _| Ok(x.f_full_like(f64::NEG_INFINITY)?));
        Ok(hooks)
    };
    let variants = Variants::over([Axis::counting("ban", 1)], ban, &batch).unwrap();
    let target = |token: u32| -> Vec<f64> {
        let metrics: [&dyn Metric; 4] =
            [&Loss::of(token), &DeltaLoss::of(token), &Probability::of(token), &KlDivergence];
        let plan = Sweep::new(&model, &batch).plan(&variants).unwrap();
        let results = plan.measure(&metrics).unwrap();
        assert_eq!(results.failures().count(), 0);
        metrics.iter().map(|metric| results.values(metric.name()).unwrap()[[0, 0, 0]]).collect()
    };
    let clean = model.run(&batch).execute().unwrap().logits.last(0).unwrap().mapv(f64::exp);
    let (p, q) = (clean[5] / clean.sum(), clean[5] / (clean.sum() - clean[7]));
    for (given, expected) in target(5).into_iter().zip([-q.ln(), p.ln() - q.ln(), q]) {
        approx::assert_relative_eq!(given, expected, max_relative = 1e-9);
    }
    assert_eq!(target(7), [f64::INFINITY, f64::INFINITY, 0.0, f64::INFINITY]);
    // What has no logit in either has no difference, and that is said.
    let plan = Sweep::new(&model, &batch).plan(&variants).unwrap();
    let both = plan.measure(&[&LogitDifference::of(7, 7)]).unwrap();
    let failure = both.failures().next().unwrap();
    assert_eq!(
        failure.reason.to_string(),
        "logit_difference: value 7 is -inf, a finite number is needed"
    );
}

#[test]
fn several_answers_count_as_their_mean_logit_and_their_probability_together() {
    let model = tiny(Precision::F64);
    let (right, wrong) = (vec![vec![3, 4, 5], vec![9]], vec![vec![7], vec![1, 2]]);
    let difference = LogitDifference::of_answers(right.clone(), wrong.clone());
    let probability = ProbabilityDifference::of_answers(right.clone(), wrong.clone());
    let (results, logits) = with_plan(&model, Positions::last(), |plan| {
        let mut logits = Vec::new();
        plan.read(|reading| {
            if reading.index == Some(&[1, 0]) {
                logits.push(reading.logits.to_owned());
            }
            Ok(())
        })
        .unwrap();
        (plan.measure(&[&difference, &probability]).unwrap(), logits)
    });
    for (sequence, logits) in logits.iter().enumerate() {
        let odds = logits.mapv(f64::exp);
        let sum = |tokens: &[u32], of: &ndarray::Array1<f64>| -> f64 {
            tokens.iter().map(|&token| of[token as usize]).sum()
        };
        let mean = |tokens: &[u32]| sum(tokens, logits) / tokens.len() as f64;
        let at = [1, 0, sequence, 0];
        let given = results.values("logit_difference").unwrap()[at];
        let expected = mean(&right[sequence]) - mean(&wrong[sequence]);
        approx::assert_relative_eq!(given, expected, max_relative = 1e-12);
        let given = results.values("probability_difference").unwrap()[at];
        let expected = (sum(&right[sequence], &odds) - sum(&wrong[sequence], &odds)) / odds.sum();
        approx::assert_relative_eq!(given, expected, max_relative = 1e-9);
    }
    assert_eq!(logits.len(), 2);
    let none = LogitDifference::of_answers([vec![3], vec![]], [vec![4], vec![5]]);
    let error = refused(&model, Positions::last(), &[&none]);
    assert!(matches!(error, SweepError::NoTarget { sequence: 1, .. }), "{error}");
    let beyond = ProbabilityDifference::of_answers([vec![3], vec![4, 101]], [vec![4], vec![5]]);
    let error = with_plan(&model, Positions::last(), |plan| plan.measure(&[&beyond])).unwrap_err();
    assert!(matches!(error, Error::Batch(BatchError::TokenOutOfRange { given: 101, .. })));
}
