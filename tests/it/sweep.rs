//! Every plan of a sweep gives what one plain run for each variant gives.

use hooked_gpt2::error::{RunError, SelectionError, SweepError};
use hooked_gpt2::hook::{At, HookRegistry, NoHooks, Positions, Site};
use hooked_gpt2::intervention::{Interventions, LayerScaling, Noise, Shuffle};
use hooked_gpt2::sweep::{
    Axis, DeltaLoss, KlDivergence, LogitDifference, Loss, Measure, Metric, PearsonToBase, Plan,
    Probability, Rank, Results, Sweep, Variants,
};
use hooked_gpt2::tch::Device;
use hooked_gpt2::{Batch, Error, Gpt2, Precision, Result};
use proptest::prelude::*;

use crate::support::{reason, tiny, tiny_on};
use crate::tolerance;

const PROMPT: [u32; 5] = [3, 14, 15, 92, 65];

fn batch() -> Batch {
    Batch::new([vec![3, 14, 15, 92, 65], vec![35, 89, 79], vec![32, 38, 46, 26, 43]]).unwrap()
}

/// Each head of the tiny model, silenced.
fn heads_ablated(batch: &Batch) -> Variants {
    let axes = [Axis::counting("layer", 3), Axis::counting("head", 3)];
    let silenced = |index: &[usize], _| {
        let mut hooks = Interventions::new();
        hooks.zero(At::z(index[0]).heads([index[1]]));
        Ok(hooks)
    };
    Variants::over(axes, silenced, batch).unwrap()
}

/// Every seventh logit, so that nothing hides behind a statistic.
fn logits(d_vocab: usize) -> Vec<Box<dyn Metric>> {
    let logit = |token: usize| -> Box<dyn Metric> {
        Box::new(Measure::new(format!("logit {token}"), move |reading| Ok(reading.logits[token])))
    };
    (0..d_vocab).step_by(7).map(logit).collect()
}

fn largest_difference(a: &Results, b: &Results, metrics: &[&dyn Metric]) -> f64 {
    let mut largest: f64 = 0.0;
    for metric in metrics {
        let (a, b) = (a.values(metric.name()).unwrap(), b.values(metric.name()).unwrap());
        assert_eq!(a.shape(), b.shape());
        for (a, b) in a.iter().zip(&b) {
            assert!(a.is_finite() && b.is_finite(), "{}: {a} {b}", metric.name());
            largest = largest.max((a - b).abs());
        }
    }
    for metric in metrics {
        let (a, b) = (a.base(metric.name()).unwrap(), b.base(metric.name()).unwrap());
        largest = a.iter().zip(b).fold(largest, |largest, (a, b)| largest.max((a - b).abs()));
    }
    largest
}

#[track_caller]
fn assert_equals_isolated(plan: &Plan<'_>, allowed: f64) {
    let metrics = logits(101);
    let metrics: Vec<&dyn Metric> = metrics.iter().map(|metric| &**metric).collect();
    let (shared, isolated) =
        (plan.measure(&metrics).unwrap(), plan.measure_isolated(&metrics).unwrap());
    assert_eq!(shared.measured(), isolated.measured());
    let difference = largest_difference(&shared, &isolated, &metrics);
    assert!(difference <= allowed, "{difference:e}\n{plan}");
}

#[test]
fn an_edit_at_any_site_and_position_gives_what_its_own_run_gives() {
    let batch = Batch::single(PROMPT).unwrap();
    for (precision, allowed) in [(Precision::F32, tolerance::F32), (Precision::F64, tolerance::F64)]
    {
        let model = tiny(precision);
        let sites: Vec<Site> = Site::all(3).collect();
        let axes = [
            Axis::new("site", &sites),
            Axis::counting("position", 5),
            Axis::new("factor", [0.5, -1.0]),
        ];
        let variants = Variants::over(
            axes,
            |index, _| {
                let mut hooks = Interventions::new();
                let (at, factor) = (At::site(sites[index[0]]), [0.5, -1.0][index[2]]);
                hooks.scale(at.positions(Positions::at(index[1])), factor)?;
                Ok(hooks)
            },
            &batch,
        );
        let variants = variants.unwrap();
        let plan =
            Sweep::new(&model, &batch).score(Positions::range(3..5)).plan(&variants).unwrap();
        assert_equals_isolated(&plan, allowed);
    }
}

/// One of the ways to intervene on a sequence of `len` tokens.
fn intervene(
    hooks: &mut Interventions,
    kind: usize,
    layer: usize,
    position: usize,
    amount: f64,
) -> Result<()> {
    let at = Positions::at(position);
    let from = Positions::starting_at(position);
    match kind % 16 {
        0 => hooks.scale(At::resid_post(layer), amount)?,
        1 => hooks.scale(At::resid_pre(layer).positions(at), amount)?,
        2 => hooks.scale(At::z(layer).heads([1]).positions(from), amount)?,
        3 => hooks.scale(At::pattern(layer).heads([0]).queries(from), amount)?,
        4 => hooks.scale(At::k(layer).positions(at), amount)?,
        5 => hooks.scale(At::v(layer).heads([2]).positions(at), amount)?,
        6 => hooks.scale(At::mlp_post(layer).neurons(0..30).positions(from), amount)?,
        7 => hooks.scale(At::q_input(layer).heads([1]).positions(at), amount)?,
        8 => hooks.scale(At::ln2_scale(layer).positions(from), 1.0 + amount.abs())?,
        9 => hooks.noise(At::embed().positions(at), Noise::gaussian(amount.abs(), 7)?),
        10 => hooks.shuffle(At::attn_out(layer).positions(from), Shuffle::channels(3)),
        11 => hooks.skip(layer),
        12 => hooks.scale(At::ln_final_normalized().positions(at), amount)?,
        13 => hooks.scale(At::result(layer).heads([0]).positions(from), amount)?,
        14 => hooks
            .edit("add one", At::resid_mid(layer).positions(at), |x, _| Ok(x.f_add_scalar(1.0)?)),
        _ => hooks.scale(At::attn_scores(layer).keys(at), amount)?,
    };
    Ok(())
}

/// Sequences of these lengths, no two alike.
pub fn batch_of(lengths: &[usize]) -> Batch {
    let tokens = |(sequence, len): (usize, &usize)| -> Vec<u32> {
        (0..*len as u32).map(|place| (place * 17 + sequence as u32 * 5) % 101).collect()
    };
    Batch::new(lengths.iter().enumerate().map(tokens)).unwrap()
}

/// Variants by the kinds, layers, positions and amounts of their edits.
pub fn variants_of(edits: &[Vec<(usize, usize, usize, f64)>], batch: &Batch) -> Variants {
    let hooks = |index: &[usize], sequence: usize| {
        let mut hooks = Interventions::new();
        for &(kind, layer, position, amount) in &edits[index[0]] {
            intervene(&mut hooks, kind + sequence, layer, position, amount)?;
        }
        Ok(hooks)
    };
    Variants::over([Axis::counting("variant", edits.len())], hooks, batch).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_plan_gives_what_one_run_for_each_variant_gives(
        lengths in prop::collection::vec(3_usize..9, 1..4),
        kinds in prop::collection::vec(
            prop::collection::vec((0_usize..16, 0_usize..3, 0_usize..3, -2.0_f64..2.0), 0..4),
            1..10,
        ),
        base in 0_usize..5,
        score_last in any::<bool>(),
        budget in 0_usize..3,
        single_precision in any::<bool>(),
    ) {
        let (precision, allowed) = if single_precision {
            (Precision::F32, tolerance::F32)
        } else {
            (Precision::F64, tolerance::F64)
        };
        let model = tiny(precision);
        let batch = batch_of(&lengths);
        let mut base_hooks = Interventions::new();
        let (first, later) = (Positions::range(0..2), Positions::starting_at(1));
        match base {
            0 => &mut base_hooks,
            1 => base_hooks
                .noise(At::embed().positions(first), Noise::gaussian(0.5, 1).unwrap()),
            2 => base_hooks.shuffle(At::attn_out(1).positions(later), Shuffle::positions(3)),
            3 => base_hooks.edit("average", At::mlp_out(2).positions(later), |x, _| {
                Ok(x.f_mean_dim(1, true, x.kind())?.f_expand_as(x)?.f_contiguous()?)
            }),
            _ => base_hooks.scale(At::ln_final_normalized(), 1.5).unwrap(),
        };
        let variants = variants_of(&kinds, &batch);
        let score = if score_last { Positions::last() } else { Positions::range(1..3) };
        let sweep = || Sweep::new(&model, &batch).base_hooks(&base_hooks).score(score.clone());
        // What is refused, such as a hook in a block that the same variant skips, is not a plan.
        let whole = sweep().plan(&variants);
        prop_assume!(whole.is_ok());
        let whole = whole.unwrap();
        let smallest = match sweep().max_bytes(0).plan(&variants) {
            Err(Error::Sweep(SweepError::BudgetTooSmall { needed, .. })) => needed,
            _ => panic!("nothing fits into no memory"),
        };
        let max_bytes = [smallest * 2, (smallest + whole.peak_bytes()) / 2, whole.peak_bytes()];
        let plan = match sweep().max_bytes(max_bytes[budget]).plan(&variants) {
            Ok(plan) => plan,
            Err(Error::Sweep(SweepError::BudgetTooSmall { .. })) => whole,
            Err(error) => panic!("{error}"),
        };
        prop_assert!(plan.block_rows() <= plan.naive_block_rows() + plan.n_passes() * 9 * 8 * 3);
        assert_equals_isolated(&plan, allowed);
    }
}

#[test]
fn the_rows_of_a_plan_are_the_causal_cone_of_each_variant() {
    let model = tiny(Precision::F64);
    let batch = Batch::single(PROMPT).unwrap();
    let rows = |change: &dyn Fn(&mut Interventions)| {
        let variants = Variants::over(
            [],
            |_, _| {
                let mut hooks = Interventions::new();
                change(&mut hooks);
                Ok(hooks)
            },
            &batch,
        )
        .unwrap();
        let plan = Sweep::new(&model, &batch).plan(&variants).unwrap();
        assert_equals_isolated(&plan, tolerance::F64);
        plan.block_rows() - 3 * PROMPT.len()
    };
    let at = |position| Positions::at(position);
    assert_eq!(rows(&|_| {}), 0);
    assert_eq!(
        rows(&|hooks| {
            hooks.zero(At::embed());
        }),
        3 * 5
    );
    assert_eq!(
        rows(&|hooks| {
            hooks.zero(At::embed().positions(at(3)));
        }),
        3 * 2
    );
    assert_eq!(
        rows(&|hooks| {
            hooks.zero(At::z(1));
        }),
        2 * 5
    );
    assert_eq!(
        rows(&|hooks| {
            hooks.zero(At::resid_pre(1).positions(at(2)));
        }),
        2 * 3
    );
    assert_eq!(
        rows(&|hooks| {
            hooks.zero(At::resid_post(1).positions(at(2)));
        }),
        3
    );
    assert_eq!(
        rows(&|hooks| {
            hooks.zero(At::resid_post(2));
        }),
        0
    );
    assert_eq!(
        rows(&|hooks| {
            hooks.zero(At::pattern(2).queries(at(4)));
        }),
        1
    );
    assert_eq!(
        rows(&|hooks| {
            hooks.zero(At::unembed());
        }),
        0
    );
}

#[test]
fn the_last_block_computes_what_is_read_of_it() {
    let model = tiny(Precision::F64);
    let batch = Batch::single(PROMPT).unwrap();
    let variants = heads_ablated(&batch);
    let metrics: [&dyn Metric; 1] = [&Loss::of(3).at_every_position()];
    let work = |score: Positions| {
        let plan = Sweep::new(&model, &batch).score(score).plan(&variants).unwrap();
        assert_equals_isolated(&plan, tolerance::F64);
        let work = plan.measure(&metrics).unwrap().work();
        assert_eq!(work.attention_rows, plan.block_rows());
        assert_eq!(work.attention_rows, 5 * ((1 + 3) + (1 + 6) + (1 + 9)));
        let isolated = plan.measure_isolated(&metrics).unwrap().work();
        assert_eq!(isolated.attention_rows, plan.naive_block_rows());
        work.mlp_rows - 5 * ((1 + 3) + (1 + 6))
    };
    // The three variants that edit the last block are whole there.
    assert_eq!(work(Positions::last()), 7 + 3 * 5);
    assert_eq!(work(Positions::range(3..5)), 7 * 2 + 3 * 5);
    assert_eq!(work(Positions::all()), 10 * 5);

    let mut scaled = Interventions::new();
    scaled.scale(At::ln_final_normalized(), 2.0).unwrap();
    let plan = Sweep::new(&model, &batch).base_hooks(&scaled).plan(&variants).unwrap();
    assert_equals_isolated(&plan, tolerance::F64);
}

#[test]
fn hooks_of_a_base_that_mix_positions_see_all_that_they_select() {
    let model = tiny(Precision::F64);
    let batch = Batch::single(PROMPT).unwrap();
    let rows = |base_hooks: &Interventions, layer: usize| {
        let variants = Variants::over(
            [],
            |_, _| {
                let mut hooks = Interventions::new();
                hooks.zero(At::resid_pre(layer).positions(Positions::at(4)));
                Ok(hooks)
            },
            &batch,
        );
        let variants = variants.unwrap();
        let plan = Sweep::new(&model, &batch).base_hooks(base_hooks).plan(&variants).unwrap();
        assert_equals_isolated(&plan, tolerance::F64);
        plan.block_rows() - 3 * PROMPT.len()
    };
    let from = |position| Positions::range(position..5);
    let mut shuffled = Interventions::new();
    shuffled.shuffle(At::attn_out(1).positions(from(2)), Shuffle::positions(3));
    assert_eq!(rows(&shuffled, 0), 3 * 3);
    assert_eq!(rows(&shuffled, 1), 2 * 3);
    assert_eq!(rows(&shuffled, 2), 1);
    let mut averaged = Interventions::new();
    averaged.edit("average", At::mlp_out(2).positions(from(1)), |x, _| {
        Ok(x.f_mean_dim(1, true, x.kind())?.f_expand_as(x)?.f_contiguous()?)
    });
    assert_eq!(rows(&averaged, 2), 4);
    let mut noisy = Interventions::new();
    noisy.noise(At::attn_out(1).positions(from(2)), Noise::gaussian(0.5, 1).unwrap());
    assert_eq!(rows(&noisy, 0), 3);
}

#[test]
fn layers_scaled_one_by_one_cost_half_of_one_run_each() {
    let model = tiny(Precision::F64);
    let batch = batch();
    let variants = Variants::over(
        [Axis::counting("layer", 3)],
        |index, _| {
            let mut scaling = LayerScaling::new();
            scaling.insert(index[0], 0.6)?;
            Ok(scaling)
        },
        &batch,
    )
    .unwrap();
    let plan = Sweep::new(&model, &batch).plan(&variants).unwrap();
    assert_eq!(plan.n_passes(), 1);
    // The bases go through three blocks; variants through those after theirs: 2, 1 and none.
    assert_eq!(plan.block_rows(), (3 + 2 + 1) * 13);
    assert_eq!(plan.naive_block_rows(), 4 * 3 * 13);
    assert_equals_isolated(&plan, tolerance::F64);
    let explained = plan.to_string();
    assert!(explained.contains("78, one run each: 156 (2.0 times as many)"), "{explained}");
}

#[test]
fn a_budget_splits_a_sweep_and_one_too_small_is_an_error() {
    let model = tiny(Precision::F64);
    let batch = batch();
    let variants = heads_ablated(&batch);
    let plan = |max_bytes| Sweep::new(&model, &batch).max_bytes(max_bytes).plan(&variants);
    let whole = plan(usize::MAX).unwrap();
    assert_eq!(whole.n_passes(), 1);
    let Err(Error::Sweep(SweepError::BudgetTooSmall { max_bytes: 1, needed })) = plan(1) else {
        panic!("one byte is enough");
    };
    assert!(matches!(plan(needed - 1), Err(Error::Sweep(SweepError::BudgetTooSmall { .. }))));
    let split = plan(whole.peak_bytes().midpoint(needed)).unwrap();
    assert!(split.n_passes() > 1);
    assert!(split.peak_bytes() <= whole.peak_bytes().midpoint(needed));
    assert_equals_isolated(&split, tolerance::F64);
}

#[test]
fn metrics_are_those_of_the_analysis_and_lie_beside_the_bases() {
    let model = tiny(Precision::F64);
    let batch = batch();
    let variants = Variants::over(
        [Axis::new("factor", ["0.5", "2"])],
        |index, _| {
            let mut hooks = Interventions::new();
            hooks.scale(At::mlp_out(1), [0.5, 2.0][index[0]])?;
            Ok(hooks)
        },
        &batch,
    )
    .unwrap();
    let plan = Sweep::new(&model, &batch).plan(&variants).unwrap();
    let targets = [7, 8, 9];
    let metrics: [&dyn Metric; 7] = [
        &Loss::of_each(targets),
        &DeltaLoss::of_each(targets),
        &Rank::of_each(targets),
        &Probability::of_each(targets),
        &LogitDifference::of(7, 8),
        &PearsonToBase,
        &KlDivergence,
    ];
    let results = plan.measure(&metrics).unwrap();
    let value = |metric: &str, sequence| results.values(metric).unwrap()[[1, sequence, 0]];
    let base = |metric: &str, sequence| results.base(metric).unwrap()[[sequence, 0]];
    let mut hooks = Interventions::new();
    hooks.scale(At::mlp_out(1), 2.0).unwrap();
    let clean = model.run(&batch).execute().unwrap().logits;
    let edited = model.run(&batch).hooks(&hooks).execute().unwrap().logits;
    for (sequence, target) in targets.into_iter().enumerate() {
        use hooked_gpt2::analysis::{correlation, divergence, loss, rank};
        let (clean, edited) = (clean.last(sequence).unwrap(), edited.last(sequence).unwrap());
        let (clean, edited) = (clean.view(), edited.view());
        let [was, is] =
            [clean, edited].map(|logits| loss::negative_log_likelihood(logits, target).unwrap());
        for (metric, expected, of_base) in [
            ("loss", is, was),
            ("delta_loss", is - was, 0.0),
            ("probability", (-is).exp(), (-was).exp()),
            (
                "rank",
                rank::rank_of(edited, target).unwrap() as f64,
                rank::rank_of(clean, target).unwrap() as f64,
            ),
            ("logit_difference", edited[7] - edited[8], clean[7] - clean[8]),
            ("pearson", correlation::pearson(clean, edited).unwrap(), 1.0),
            ("kl_divergence", divergence::kl_divergence(clean, edited).unwrap(), 0.0),
        ] {
            approx::assert_abs_diff_eq!(value(metric, sequence), expected, epsilon = 1e-9);
            approx::assert_abs_diff_eq!(base(metric, sequence), of_base, epsilon = 1e-9);
        }
    }
    let names: Vec<&str> = results.axes().iter().map(|axis| axis.name.as_str()).collect();
    assert_eq!(names, ["factor", "sequence", "position"]);
    assert!(matches!(results.values("los"), Err(Error::UnknownName { .. })));
}

#[test]
fn a_sweep_that_is_stopped_keeps_what_is_finished() {
    let model = tiny(Precision::F64);
    let batch = Batch::single(PROMPT).unwrap();
    let variants = heads_ablated(&batch);
    let whole = Sweep::new(&model, &batch).plan(&variants).unwrap();
    let Err(Error::Sweep(SweepError::BudgetTooSmall { needed, .. })) =
        Sweep::new(&model, &batch).max_bytes(1).plan(&variants)
    else {
        panic!("one byte is enough");
    };
    let budget = whole.peak_bytes().midpoint(needed);
    let plan = Sweep::new(&model, &batch).max_bytes(budget).plan(&variants).unwrap();
    assert!(plan.n_passes() > 1);
    let mut seen = Vec::new();
    let all = plan.measure_with_progress(&[&Loss::of(3)], |progress| {
        seen.push(progress.done);
        assert_eq!(progress.total, plan.block_rows());
        true
    });
    let all = all.unwrap();
    assert_eq!(seen.last(), Some(&plan.block_rows()));
    assert!(seen.is_sorted_by(|a, b| a < b));
    assert_eq!(all.measured(), 9);

    let last = *seen.last().unwrap();
    let some =
        plan.measure_with_progress(&[&Loss::of(3)], |progress| progress.done < last).unwrap();
    assert!(0 < some.measured() && some.measured() < 9);
    let (some_values, all_values) = (some.values("loss").unwrap(), all.values("loss").unwrap());
    let finished = some_values.iter().filter(|value| !value.is_nan()).count();
    assert_eq!(finished, some.measured());
    for (some, all) in some_values.iter().zip(&all_values) {
        assert!(some.is_nan() || some == all);
    }
}

#[test]
fn what_cannot_be_swept_is_refused_before_anything_is_computed() {
    let model: Gpt2 = tiny(Precision::F64);
    let batch = batch();
    let of = |change: &dyn Fn(&mut Interventions)| {
        Variants::over(
            [],
            |_, _| {
                let mut hooks = Interventions::new();
                change(&mut hooks);
                Ok(hooks)
            },
            &batch,
        )
        .unwrap()
    };
    let failure = |variants: &Variants, batch: &Batch, score: Positions| {
        Sweep::new(&model, batch).score(score).plan(variants).map(drop).unwrap_err()
    };
    let outside = of(&|hooks| {
        hooks.zero(At::z(1).positions(Positions::at(3)));
    });
    let Error::Sweep(SweepError::Variant { variant, source }) =
        failure(&outside, &batch, Positions::last())
    else {
        panic!("a hook of a variant is not named with it");
    };
    assert_eq!(variant, "sequence 1");
    assert!(
        matches!(reason(&source), Error::Selection(SelectionError::PositionOutOfRange { .. })),
        "{source}"
    );
    let nothing = of(&|_| {});
    let error = failure(&nothing, &Batch::single(PROMPT).unwrap(), Positions::last());
    assert!(
        matches!(error, Error::Sweep(SweepError::VariantSequences { given: 3, needed: 1 })),
        "{error}"
    );
    let empty = Variants::over([Axis::counting("layer", 0)], |_, _| Ok(NoHooks), &batch);
    assert!(matches!(empty.err(), Some(Error::Sweep(SweepError::EmptyAxis { .. }))));
    let registry: &dyn HookRegistry = &NoHooks;
    assert!(registry.layers().is_empty());
}

#[test]
fn a_metric_that_fails_is_nan_there_counted_and_explained_and_the_others_go_on() {
    let model = tiny(Precision::F64);
    let batch = batch();
    let variants = heads_ablated(&batch);
    let plan = Sweep::new(&model, &batch).plan(&variants).unwrap();
    let fails = Measure::new("fails", |reading| match reading.index {
        Some([1, 2]) if reading.sequence != 1 => Err(Error::other("a reason of my own")),
        _ => Ok(0.5),
    });
    for results in [plan.measure(&[&fails, &Loss::of(3)]), plan.measure_isolated(&[&fails])] {
        let results = results.unwrap();
        let values = results.values("fails").unwrap();
        for (index, value) in values.indexed_iter() {
            let failed = index[0] == 1 && index[1] == 2 && index[2] != 1;
            assert_eq!(value.is_nan(), failed, "{index:?}");
        }
        let failures: Vec<_> = results.failures().collect();
        assert_eq!(failures.len(), 1);
        assert_eq!((failures[0].metric.as_str(), failures[0].count), ("fails", 2));
        let first = &failures[0].first;
        let known = [0, 2].map(|sequence| {
            let position = batch.sequences()[sequence].len() - 1;
            format!("layer 1, head 2, sequence {sequence}, position {position}")
        });
        assert!(known.contains(first), "{first}");
        assert_eq!(failures[0].reason.to_string(), "a reason of my own");
        if let Ok(losses) = results.values("loss") {
            assert!(losses.iter().all(|loss| loss.is_finite()));
        }
    }
    let of_base = Measure::new("base", |reading| match reading.index {
        None => Err(Error::other("no")),
        Some(_) => Ok(1.0),
    });
    let results = plan.measure(&[&of_base]).unwrap();
    assert!(results.base("base").unwrap().iter().all(|value| value.is_nan()));
    let failure = results.failures().next().unwrap();
    assert_eq!(failure.count, 3);
    assert!(failure.first.starts_with("the base, sequence "), "{}", failure.first);
}

#[test]
fn logits_of_nan_are_no_number_and_their_variant_is_named() {
    let model = tiny(Precision::F32);
    let batch = Batch::single(PROMPT).unwrap();
    let variants =
        Variants::layer_factors(0..model.config().n_layers, &[0.5, 3e38], &batch).unwrap();
    let plan = Sweep::new(&model, &batch).plan(&variants).unwrap();
    let logit = Measure::new("logit", |reading| Ok(reading.logits[3]));
    for results in [plan.measure(&[&logit]), plan.measure_isolated(&[&logit])] {
        let results = results.unwrap();
        let values = results.values("logit").unwrap();
        assert!((0..3).all(|layer| values[[layer, 0, 0, 0]].is_finite()));
        assert!((0..3).all(|layer| values[[layer, 1, 0, 0]].is_nan()));
        let failure = results.failures().next().unwrap();
        assert_eq!(failure.count, 3);
        assert!(failure.first.contains("factor 3000000"), "{}", failure.first);
        assert!(matches!(failure.reason, Error::Run(RunError::NotANumber { .. })));
    }
    let Err(Error::Sweep(SweepError::Variant { variant, source })) = plan.read(|_| Ok(())) else {
        panic!("NaN was read");
    };
    assert!(variant.contains("factor 3000000") && variant.ends_with("sequence 0"), "{variant}");
    assert!(matches!(*source, Error::Run(RunError::NotANumber { .. })), "{source}");
}

#[test]
#[ignore = "needs a CUDA device, and a libtorch that knows it"]
fn a_sweep_on_a_gpu_gives_what_isolated_runs_on_the_cpu_give() {
    let batch = batch();
    let axes = [Axis::counting("kind", 16), Axis::counting("layer", 3)];
    let variants = Variants::over(
        axes,
        |index, _| {
            let mut hooks = Interventions::new();
            intervene(&mut hooks, index[0], index[1], 1, 0.5)?;
            Ok(hooks)
        },
        &batch,
    );
    let variants = variants.unwrap();
    let metrics = logits(101);
    let metrics: Vec<&dyn Metric> = metrics.iter().map(|metric| &**metric).collect();
    for (precision, allowed) in [(Precision::F32, tolerance::F32), (Precision::F64, tolerance::F64)]
    {
        let on_gpu = tiny_on(Device::Cuda(0), precision);
        let swept = Sweep::new(&on_gpu, &batch).plan(&variants).unwrap().measure(&metrics).unwrap();
        let on_cpu = tiny(precision);
        let plan = Sweep::new(&on_cpu, &batch).plan(&variants).unwrap();
        let isolated = plan.measure_isolated(&metrics).unwrap();
        let difference = largest_difference(&swept, &isolated, &metrics);
        assert!(difference <= allowed, "{precision}: {difference:e}");
    }
}
