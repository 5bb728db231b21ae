//! What a sweep keeps of its variants is what their own runs keep.

use hooked_gpt2::error::{BatchError, CaptureError, SelectionError, SweepError};
use hooked_gpt2::hook::{At, Capture, CaptureKey, Edit, Hook, Part, Positions, Site};
use hooked_gpt2::intervention::Interventions;
use hooked_gpt2::sweep::{Axis, Loss, Plan, Results, Sweep, Variants};
use hooked_gpt2::tch::Tensor;
use hooked_gpt2::{Batch, Error, Precision, Result};
use proptest::prelude::*;

use crate::support::{chain, reason, tiny};
use crate::sweep::{batch_of, variants_of};

/// The tensors that are found under one of the keys of a test.
type Look<'k> = Box<dyn Fn(&Results, Option<&[usize]>, usize) -> Result<Vec<Tensor>> + 'k>;

/// Looks a key up of a variant, or of the base.
fn look<'k, K: CaptureKey + Copy + 'k>(
    key: K,
    tensors: impl Fn(K::Found) -> Vec<Tensor> + 'k,
) -> Look<'k> {
    Box::new(move |results, index, sequence| {
        let found = match index {
            Some(index) => results.captured(key, index, sequence)?,
            None => results.captured_of_base(key, sequence)?,
        };
        Ok(tensors(found))
    })
}

/// The largest difference over the largest magnitude; infinities must be at the same places.
fn relative_difference(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    assert!(a.isinf().equal(&b.isinf()));
    let finite = |x: &Tensor| x.nan_to_num(0.0, 0.0, 0.0);
    let (a, b) = (finite(a), finite(b));
    let largest = a.abs().max().double_value(&[]).max(1.0);
    (a - b).abs().max().double_value(&[]) / largest
}

#[track_caller]
fn assert_equal(plan: &Plan<'_>, looks: &[Look<'_>], n_variants: usize, n_sequences: usize) {
    let (shared, isolated) = (plan.measure(&[]).unwrap(), plan.measure_isolated(&[]).unwrap());
    for look in looks {
        for sequence in 0..n_sequences {
            for variant in (0..n_variants).map(Some).chain([None]) {
                let index = variant.map(|variant| [variant]);
                let index = index.as_ref().map(|index| &index[..]);
                match (look(&shared, index, sequence), look(&isolated, index, sequence)) {
                    (Ok(shared), Ok(isolated)) => {
                        for (shared, isolated) in shared.iter().zip(&isolated) {
                            let difference = relative_difference(shared, isolated);
                            assert!(difference < 1e-9, "{variant:?} {sequence} {difference}");
                        }
                    }
                    // In a block that the variant skips there is nothing.
                    (Err(shared), Err(isolated)) => {
                        assert_eq!(shared.to_string(), isolated.to_string());
                    }
                    (shared, isolated) => panic!("{variant:?} {shared:?} {isolated:?}"),
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_captured_of_variants_is_what_their_own_runs_capture(
        lengths in prop::collection::vec(3_usize..7, 1..4),
        kinds in prop::collection::vec(
            prop::collection::vec((0_usize..16, 0_usize..3, 0_usize..3, -2.0_f64..2.0), 0..3),
            1..6,
        ),
        sites in prop::collection::vec(0_usize..74, 1..6),
        ways in prop::collection::vec((0_usize..6, any::<bool>()), 5),
        splits in any::<bool>(),
    ) {
        let model = tiny(Precision::F64);
        let batch = batch_of(&lengths);
        let variants = variants_of(&kinds, &batch);

        let all: Vec<Site> = Site::all(3).collect();
        let captures: Vec<(Capture, usize)> = sites.iter().zip(&ways).map(|(&site, &(way, before))| {
            let capture = Capture::new(all[site]);
            let capture = if before { capture.before_edits() } else { capture };
            let positions = [Positions::all(), Positions::last(), Positions::several([0, 2])];
            (capture.positions(positions[way % 3].clone()), way)
        }).collect();
        let norms: Vec<_> = captures.iter().map(|(capture, _)| capture.clone().norm()).collect();
        let moments: Vec<_> = captures.iter().map(|(capture, _)| capture.clone().moments()).collect();
        let largest: Vec<_> = captures.iter().map(|(capture, _)| capture.clone().top_k(1)).collect();
        let mut sweep = Sweep::new(&model, &batch);
        let mut looks: Vec<Look<'_>> = Vec::new();
        for (place, (capture, way)) in captures.iter().enumerate() {
            let (norm, moments, largest) = (&norms[place], &moments[place], &largest[place]);
            match way {
                0..3 => {
                    sweep = sweep.capture([capture]);
                    looks.push(look(capture, |whole| vec![whole]));
                }
                3 => {
                    sweep = sweep.capture([norm]);
                    looks.push(look(norm, |norm| vec![norm]));
                }
                4 => {
                    sweep = sweep.capture([moments]);
                    looks.push(look(moments, |moments| vec![moments.mean().shallow_clone()]));
                }
                _ => {
                    sweep = sweep.capture([largest]);
                    looks.push(look(largest, |largest| vec![largest.values]));
                }
            }
        }
        if splits {
            // As little as will do: what is captured grows from pass to pass.
            sweep = sweep.max_bytes(2 << 20);
        }
        let plan = sweep.plan(&variants);
        prop_assume!(plan.is_ok());
        assert_equal(&plan.unwrap(), &looks, kinds.len(), lengths.len());
    }
}

#[test]
fn every_site_of_every_variant_is_kept_whole() {
    let model = tiny(Precision::F64);
    let batch = Batch::new([[3, 14, 15, 92, 65], [35, 89, 79, 32, 38]]).unwrap();
    let variants = Variants::over(
        [Axis::counting("variant", 6)],
        |index, sequence| {
            let mut hooks = Interventions::new();
            let at = Positions::at(2 + sequence);
            match index[0] {
                0 => hooks.scale(At::embed().positions(at), 0.5)?,
                1 => hooks.skip(1),
                2 => hooks.zero(At::z(1).heads([2]).positions(at)),
                3 => hooks.zero(At::resid_post(1)),
                4 => hooks.scale(At::resid_post(2).positions(at), 3.0)?,
                _ => &mut hooks,
            };
            Ok(hooks)
        },
        &batch,
    );
    let variants = variants.unwrap();
    let sites: Vec<Site> = Site::all(3).collect();
    let plan = Sweep::new(&model, &batch).capture(&sites).plan(&variants).unwrap();
    let looks: Vec<_> = sites.iter().map(|site| look(site, |whole| vec![whole])).collect();
    assert_equal(&plan, &looks, 6, 2);

    let results = plan.measure(&[]).unwrap();
    let skipped = results.captured(Site::z(1), &[1], 0).unwrap_err();
    assert!(
        matches!(skipped, Error::Capture(CaptureError::NotCaptured { sequence: 0, .. })),
        "{skipped}"
    );
    for (index, sequence) in [(&[6][..], 0), (&[], 0), (&[0, 0], 0)] {
        let error = results.captured(Site::z(1), index, sequence).unwrap_err();
        assert!(matches!(error, Error::Sweep(SweepError::NoSuchPoint { .. })), "{error}");
    }
    let error = results.captured(Site::z(1), &[0], 2).unwrap_err();
    assert!(
        matches!(error, Error::Batch(BatchError::NoSuchSequence { given: 2, len: 2 })),
        "{error}"
    );
    let error = results.captured_of_base(Site::z(1), 2).unwrap_err();
    assert!(
        matches!(error, Error::Batch(BatchError::NoSuchSequence { given: 2, len: 2 })),
        "{error}"
    );
    let last = Capture::new(Site::z(1)).positions(Positions::last());
    let error = results.captured(&last, &[0], 1).unwrap_err();
    assert!(
        matches!(error, Error::Capture(CaptureError::NotCaptured { sequence: 1, .. })),
        "{error}"
    );
}

#[test]
fn a_variant_carries_what_is_captured_of_it_and_no_more() {
    let model = tiny(Precision::F64);
    let batch = Batch::single([3, 14, 15, 92, 65]).unwrap();
    let variants = Variants::over(
        [],
        |_, _| {
            let mut hooks = Interventions::new();
            hooks.zero(At::resid_pre(1).positions(Positions::at(3)));
            Ok(hooks)
        },
        &batch,
    );
    let variants = variants.unwrap();
    let rows = |captures: &[Capture]| {
        let plan = Sweep::new(&model, &batch).capture(captures).plan(&variants).unwrap();
        let results = plan.measure(&[]).unwrap();
        assert_eq!(results.work().attention_rows, plan.block_rows());
        (plan.block_rows() - 3 * 5, results.work().mlp_rows - 2 * 5)
    };
    let at = |site, position| Capture::new(site).positions(Positions::at(position));
    // Two blocks of two rows, and behind the keys of the last one what is scored.
    assert_eq!(rows(&[]), (2 * 2, 2 + 1 + 1));
    assert_eq!(rows(&[at(Site::mlp_out(1), 4)]), (2 * 2, 2 + 1 + 1));
    assert_eq!(rows(&[at(Site::k(2), 3)]), (2 * 2, 2 + 1 + 1));
    assert_eq!(rows(&[at(Site::mlp_out(1), 2)]), (2 * 3, 3 + 1 + 1));
    assert_eq!(rows(&[at(Site::mlp_out(2), 3)]), (2 * 2, 2 + 2 + 2));
    assert_eq!(rows(&[Capture::new(Site::mlp_out(1))]), (2 * 5, 5 + 1 + 1));
    // Before it forks off, it is its base.
    assert_eq!(rows(&[Capture::new(Site::mlp_out(0))]), (2 * 2, 2 + 1 + 1));
}

#[test]
fn captures_count_towards_the_budget() {
    let model = tiny(Precision::F64);
    let batch = Batch::single([3, 14, 15, 92, 65]).unwrap();
    let variants =
        Variants::layer_factors(0..model.config().n_layers, &[0.5; 400], &batch).unwrap();
    let plan = |max_bytes: usize, captures: &[Site]| {
        Sweep::new(&model, &batch).max_bytes(max_bytes).capture(captures).plan(&variants)
    };
    let site = Site::resid_post(2);
    // 1200 variants and the base, of 5 positions of 24 channels of 8 bytes: more than a pass needs besides.
    let kept = 1201 * 5 * 24 * 8;
    let whole = plan(usize::MAX, &[site]).unwrap();
    let norms = Capture::new(site).norm();
    let norms = Sweep::new(&model, &batch).capture([&norms]).plan(&variants).unwrap();
    assert_eq!(whole.peak_bytes() - norms.peak_bytes(), kept - kept / 24);
    // What is asked for again is kept once.
    let last = Capture::new(site).positions(Positions::last()).norm();
    let sweep = Sweep::new(&model, &batch).capture([site]).capture([&last]);
    let (once, again) = (sweep.plan(&variants).unwrap(), {
        let sweep = Sweep::new(&model, &batch).capture([site]).capture([&last]).capture([site]);
        sweep.plan(&variants).unwrap()
    });
    assert_eq!(once.peak_bytes(), again.peak_bytes());
    let smallest = match plan(kept, &[site]) {
        Err(Error::Sweep(SweepError::BudgetTooSmall { max_bytes, needed }))
            if max_bytes == kept =>
        {
            needed
        }
        other => panic!("{:?}", other.map(|plan| plan.to_string())),
    };
    assert!(smallest > kept);
    let split = plan((smallest + whole.peak_bytes()) / 2, &[site]).unwrap();
    assert!(split.n_passes() > 1);
    // What the first passes keep is still held in the last one.
    assert!(split.peak_bytes() > kept, "{} {kept}", split.peak_bytes());
    let results = split.measure(&[&Loss::of(3)]).unwrap();
    assert_eq!(results.captured(site, &[2, 399], 0).unwrap().size(), [5, 24]);
}

#[test]
fn a_capture_that_does_not_fit_is_refused_and_one_of_a_stopped_sweep_not_found() {
    let model = tiny(Precision::F64);
    let batch = Batch::single([3, 14, 15, 92, 65]).unwrap();
    let variants = Variants::skipped_blocks(model.config(), &batch).unwrap();
    let late = Capture::new(Site::z(1)).positions(Positions::at(5));
    let error = Sweep::new(&model, &batch).capture([&late]).plan(&variants).map(drop).unwrap_err();
    assert!(
        matches!(reason(&error), Error::Selection(SelectionError::PositionOutOfRange { .. })),
        "{error}"
    );
    let site = Site::z(1);
    let plan = Sweep::new(&model, &batch).capture([site]).plan(&variants).unwrap();
    let stopped = plan.measure_with_progress(&[], |_| false).unwrap();
    for error in [stopped.captured(site, &[0], 0), stopped.captured_of_base(site, 0)] {
        let error = error.unwrap_err();
        assert!(error.to_string().ends_with("the sweep was stopped before"), "{error}");
    }
}

/// Fails only once it runs.
#[derive(Debug)]
struct Fails;

impl Edit for Fails {
    fn apply(&self, _selected: &Tensor, _part: &Part<'_>) -> Result<Tensor> {
        Err(Error::Batch(BatchError::EmptyBatch))
    }
}

#[test]
fn what_fails_on_the_way_is_named_with_its_variant() {
    let model = tiny(Precision::F64);
    let batch = Batch::new([vec![3, 14, 15, 92, 65], vec![35, 89]]).unwrap();
    let failure = |change: &dyn Fn(&mut Interventions)| {
        let variants = Variants::over(
            [Axis::new("which", ["sound", "broken"])],
            |index, sequence| {
                let mut hooks = Interventions::new();
                if (index[0], sequence) == (1, 1) {
                    change(&mut hooks);
                }
                Ok(hooks)
            },
            &batch,
        );
        let variants = variants.unwrap();
        let plan = Sweep::new(&model, &batch).plan(&variants).unwrap();
        for measured in [plan.measure(&[]), plan.measure_isolated(&[])] {
            let Err(Error::Sweep(SweepError::Variant { variant, source })) = measured else {
                panic!("the variant is not named");
            };
            assert_eq!(variant, "which broken, sequence 1");
            // The plain run of all sequences names that one, too.
            let source = chain(&*source);
            let source = source.strip_prefix("sequence 1: ").unwrap_or(&source);
            assert!(source.starts_with("hook `") || source.starts_with("blocks.1."), "{source}");
        }
    };
    failure(&|hooks| {
        hooks.add(Hook::new(At::attn_out(1), Fails));
    });
    failure(&|hooks| {
        hooks.edit("narrow", At::attn_out(1), |x, _| Ok(x.f_narrow(2, 0, 1)?));
    });
    failure(&|hooks| {
        hooks.knock_out(1, [2], Positions::last(), Positions::range(0..2));
    });
}
