//! Means over reference prompts: what they are over, where they fit, and what is refused.

use hooked_gpt2::error::{CaptureError, InterventionError, SweepError};
use hooked_gpt2::hook::{At, Averaging, Capture, Hook, MeanActivations, Positions, Site};
use hooked_gpt2::intervention::{Interventions, MeanAblation};
use hooked_gpt2::sweep::{Loss, Replacement, Sweep, Variants};
use hooked_gpt2::tch::{Kind, Tensor};
use hooked_gpt2::{Batch, Error, Gpt2, Precision, Result};

use crate::support::{assert_identical, chain, largest_difference, reason, single, tiny};
use crate::tolerance;

const REFERENCE: [[u32; 5]; 3] = [[3, 14, 15, 92, 65], [35, 89, 79, 32, 38], [46, 26, 43, 38, 32]];

fn reference() -> Batch {
    Batch::new(REFERENCE).unwrap()
}

fn z(model: &Gpt2, prompt: &[u32], hooks: &Interventions) -> Tensor {
    let run = model.run(&single(prompt)).hooks(hooks).capture([Site::z(1)]).execute().unwrap();
    run.activations.get(Site::z(1), 0).unwrap()
}

#[test]
fn a_mean_takes_the_place_of_what_is_selected_and_of_nothing_else() {
    for precision in [Precision::F32, Precision::F64, Precision::Bf16] {
        let model = tiny(precision);
        let means = model.run(&reference()).mean_by_position([Site::z(1)]).unwrap();
        let moments = means.of(Site::z(1)).unwrap();
        assert_eq!((means.averaging(), moments.count()), (Averaging::ByPosition, 3));
        assert_eq!(moments.mean().kind(), Kind::Double);
        let mut hooks = Interventions::new();
        let at = At::z(1).heads([0, 2]).positions(Positions::several([1, 3])).channels([2, 7]);
        hooks.mean_ablate(at, &means).unwrap();
        let prompt = [1, 2, 3, 4];
        let (clean, ablated) =
            (z(&model, &prompt, &Interventions::new()), z(&model, &prompt, &hooks));
        let rounded = moments.mean().to_kind(clean.kind());
        for (pos, head, channel) in (0..4 * 3 * 8).map(|i| (i / 24, i / 8 % 3, i % 8)) {
            let is_ablated = [1, 3].contains(&pos) && head != 1 && [2, 7].contains(&channel);
            let from = if is_ablated { &rounded } else { &clean };
            let of = |tensor: &Tensor| tensor.double_value(&[pos, head, channel]);
            assert_eq!(of(&ablated), of(from), "{precision} {pos} {head} {channel}");
        }
    }
}

#[test]
fn means_merge_and_keep_their_variance() {
    let model = tiny(Precision::F64);
    let sites = [Site::z(1), Site::resid_post(0)];
    let [first, second] =
        [&REFERENCE[..1], &REFERENCE[1..]].map(|some| Batch::new(some.to_vec()).unwrap());
    let whole = model.run(&reference()).mean_by_position(sites).unwrap();
    let merged = model.run(&first).mean_by_position(sites).unwrap();
    let merged = merged.merge(&model.run(&second).mean_by_position(sites).unwrap()).unwrap();
    let tokens = model.run(&first).mean_over_tokens(sites).unwrap();
    let tokens = tokens.merge(&model.run(&second).mean_over_tokens(sites).unwrap()).unwrap();
    for site in sites {
        let [one, other] = [&whole, &merged].map(|means| means.of(site).unwrap().clone());
        assert!(largest_difference(one.mean(), other.mean()) <= tolerance::F64);
        let [one, other] = [one, other].map(|moments| moments.variance().unwrap());
        assert!(largest_difference(&one, &other) <= 1e-6, "{}", largest_difference(&one, &other));
        // All positions have as many sequences.
        let over_positions = whole.of(site).unwrap().mean().mean_dim(0, false, Kind::Double);
        assert_eq!(tokens.of(site).unwrap().count(), 15);
        let difference = largest_difference(tokens.of(site).unwrap().mean(), &over_positions);
        assert!(difference <= tolerance::F64, "{difference:e}");
    }
    let error = whole.merge(&tokens).unwrap_err().to_string();
    assert_eq!(
        error,
        "means by position of blocks.0.hook_resid_post, blocks.1.attn.hook_z and means over tokens of \
         blocks.0.hook_resid_post, blocks.1.attn.hook_z cannot be merged, both must be alike"
    );
    let shorter = model.run(&single(&[1, 2])).mean_by_position(sites).unwrap();
    assert!(matches!(
        whole.merge(&shorter),
        Err(Error::Capture(CaptureError::MomentsShape { .. }))
    ));
}

#[test]
fn moments_of_some_positions_are_means_over_tokens() {
    let model = tiny(Precision::F32);
    let later = Capture::new(Site::z(1)).positions(Positions::starting_at(1)).moments();
    let batch = single(&REFERENCE[0]);
    let moments = model.run(&batch).capture([&later]).execute().unwrap().activations.get(&later, 0);
    let means = MeanActivations::over_tokens([(Site::z(1), moments.unwrap())]).unwrap();
    let mut hooks = Interventions::new();
    hooks.mean_ablate(At::z(1), &means).unwrap();
    let expected = z(&model, &REFERENCE[0], &Interventions::new()).narrow(0, 1, 4);
    let expected = expected.mean_dim(0, false, Kind::Double).to_kind(Kind::Float);
    let ablated = z(&model, &[1, 2], &hooks);
    assert_identical(&ablated.get(0), &ablated.get(1));
    assert!(largest_difference(&ablated.get(0), &expected) <= tolerance::F32);
    let nothing = hooked_gpt2::hook::Moments::empty().unwrap();
    let error = MeanActivations::over_tokens([(Site::z(1), nothing)]).unwrap_err();
    assert_eq!(error.to_string(), "mean needs at least 1 values, given: 0");
}

#[test]
fn each_template_has_means_of_its_own() {
    let model = tiny(Precision::F64);
    // Of two lengths, which no mean by position over all would have.
    let prompts = Batch::new([vec![1, 2, 3], vec![4, 5], vec![6, 7, 8], vec![9, 10]]).unwrap();
    let means = model.run(&prompts).mean_by_template([Site::z(1)], &[1, 0, 1, 0]).unwrap();
    let of = |prompt: &[u32]| z(&model, prompt, &Interventions::new());
    let expected = [(of(&[4, 5]) + of(&[9, 10])) / 2.0, (of(&[1, 2, 3]) + of(&[6, 7, 8])) / 2.0];
    for (means, expected) in means.iter().zip(&expected) {
        let difference = largest_difference(means.of(Site::z(1)).unwrap().mean(), expected);
        assert!(difference <= tolerance::F64, "{difference:e}");
    }
    let refused = |template_of: &[usize]| match model
        .run(&prompts)
        .mean_by_template([Site::z(1)], template_of)
    {
        Err(Error::Capture(error)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&[0, 0, 0]), "templates of 3 sequences for 4, one for each is needed");
    assert_eq!(
        refused(&[0, 2, 0, usize::MAX]),
        "no sequence is of template 1, templates are numbered from 0 without a gap"
    );
    assert_eq!(
        refused(&[0, 0, 1, 1]),
        "a mean by position needs sequences of one length, given: 3 and 2 tokens; allowed for any lengths: \
         a mean over tokens"
    );

    let variants = |template_of: &[usize]| {
        let with = Replacement::MeanByTemplate { means: &means, template_of };
        Variants::ablated_neurons(0, &[0], with, &prompts).map(drop)
    };
    let refused = |result: Result<()>| match result {
        Err(Error::Sweep(error)) => error,
        other => panic!("{other:?}"),
    };
    let error = refused(variants(&[0]));
    assert!(matches!(error, SweepError::TemplateCount { given: 1, needed: 4 }), "{error}");
    let error = refused(variants(&[2, 0, 1, 0]));
    assert!(
        matches!(error, SweepError::NoSuchTemplate { given: 2, sequence: 0, templates: 2 }),
        "{error}"
    );
}

#[test]
fn a_sweep_of_means_is_a_run_for_each_variant() {
    let model = tiny(Precision::F64);
    let batch = Batch::new([vec![1, 2, 3, 4], vec![5, 6]]).unwrap();
    let sites = || (0..3).map(Site::pattern);
    let means = model.run(&reference()).mean_by_position(sites()).unwrap();
    let with = Replacement::Mean(&means);
    let variants = Variants::patched_heads(model.config(), Site::pattern, with, &batch).unwrap();
    let plan = Sweep::new(&model, &batch).plan(&variants).unwrap();
    let loss = Loss::of(7);
    let (shared, alone) =
        (plan.measure(&[&loss]).unwrap(), plan.measure_isolated(&[&loss]).unwrap());
    let (shared, alone) = (shared.values("loss").unwrap(), alone.values("loss").unwrap());
    approx::assert_abs_diff_eq!(shared, alone, epsilon = tolerance::F64);
    assert_eq!(shared.shape(), [3, 3, 2, 1]);
}

#[test]
fn a_mean_that_does_not_fit_is_refused_before_the_run() {
    let model = tiny(Precision::F64);
    let means = model.run(&reference()).mean_by_position([Site::z(1), Site::pattern(1)]).unwrap();
    let refused = |hook: Hook, prompt: &[u32]| {
        let mut hooks = Interventions::new();
        // This one would fail the run, if anything were run.
        hooks.edit("fails", At::embed(), |_, _| Err(Error::other("it was run")));
        hooks.add(hook);
        model.run(&single(prompt)).hooks(&hooks).execute().unwrap_err()
    };
    let z = |site| MeanAblation::new(site, &means).unwrap();
    let error = refused(Hook::new(At::z(1), z(Site::z(1))), &[1; 6]);
    assert_eq!(
        error.to_string(),
        "hook `MeanAblation { by_position: Tensor[[5, 3, 8], Double] }` cannot stand at blocks.1.attn.hook_z: \
         its mean is by position, of sequences of 5 tokens, and position 5 has none"
    );
    let pattern = Hook::new(At::pattern(1).queries(Positions::at(5)), z(Site::pattern(1)));
    let error = refused(pattern, &[1; 6]);
    assert!(matches!(
        reason(&error),
        Error::Intervention(InterventionError::NoMeanAtPosition { given: 5, len: 5 })
    ));
    // A longer sequence where only positions are selected that have a mean.
    let mut hooks = Interventions::new();
    hooks.mean_ablate(At::z(1).positions(Positions::at(4)), &means).unwrap();
    assert!(model.run(&single(&[1; 6])).hooks(&hooks).execute().is_ok());
    assert!(model.generate(&single(&[1; 5]), 3).hooks(&hooks).execute().is_ok());
    let mut everywhere = Interventions::new();
    everywhere.mean_ablate(At::z(1), &means).unwrap();
    let error = model.generate(&single(&[1; 4]), 3).hooks(&everywhere).execute().unwrap_err();
    assert!(matches!(
        reason(&error),
        Error::Intervention(InterventionError::NoMeanAtPosition { .. })
    ));
    let error = refused(Hook::new(At::z(2), z(Site::z(1))), &[1, 2]);
    assert!(chain(&error).ends_with("its mean is that of blocks.1.attn.hook_z"), "{error}");
    let error = Interventions::new().mean_ablate(At::z(0), &means).map(drop).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no mean of blocks.0.attn.hook_z, there is one of: blocks.1.attn.hook_z, \
         blocks.1.attn.hook_pattern"
            .replace("hook_z, blocks.1.attn.hook_pattern", "hook_pattern, blocks.1.attn.hook_z")
    );
    // Of another model: its heads are not these.
    let bundled = hooked_gpt2::Checkpoint::bundled().unwrap();
    let (other, _) = Gpt2::load(&bundled, Precision::F32, hooked_gpt2::tch::Device::Cpu).unwrap();
    let foreign = other.run(&reference()).mean_by_position([Site::z(1)]).unwrap();
    let at = At::z(1).heads([0]).channels([0]);
    let error = refused(Hook::new(at, MeanAblation::new(Site::z(1), &foreign).unwrap()), &[1, 2]);
    assert!(
        chain(&error).ends_with("its mean is [5, 4, 32], needed: [pos, head, d_head]"),
        "{error}"
    );
}

#[test]
fn what_has_no_mean_is_refused_with_what_has() {
    let model = tiny(Precision::F64);
    let batch = reference();
    let run = || model.run(&batch);
    for result in [
        run().mean_over_tokens([Site::attn_scores(0)]),
        run().mean_by_position([Site::z(0), Site::attn_scores(0)]),
    ] {
        let error = result.unwrap_err();
        assert!(matches!(reason(&error), Error::Capture(CaptureError::NoMoments)), "{error}");
    }
    assert_eq!(
        run().mean_over_tokens([Site::pattern(0)]).unwrap_err().to_string(),
        "the mean of blocks.0.attn.hook_pattern cannot be captured: it has no mean over tokens, because each \
         query has keys of its own; allowed: its mean by position"
    );
    assert!(run().mean_by_position(Vec::<Site>::new()).is_err());
}
