//! What a run promises, whatever the model.

use hooked_gpt2::error::{
    AnalysisError, BatchError, HookError, InterventionError, RunError, SelectionError,
};
use hooked_gpt2::hook::{At, Capture, Edit, Hook, HookRegistry, NoHooks, Part, Positions, Site};
use hooked_gpt2::intervention::{Interventions, LayerScaling, Scale};
use hooked_gpt2::tch::{Device, Kind, Tensor};
use hooked_gpt2::{Batch, Checkpoint, Effect, Error, Gpt2, Precision, Result};
use proptest::prelude::*;

use crate::support::{assert_identical, largest_difference, reason, single, tiny};
use crate::tolerance;

const PROMPT: [u32; 5] = [3, 14, 15, 92, 65];

fn all_sites(model: &Gpt2) -> Vec<Site> {
    Site::all(model.config().n_layers).collect()
}

fn logits(model: &Gpt2, batch: &Batch, hooks: &dyn HookRegistry) -> Tensor {
    let output = model.run(batch).hooks(hooks).execute().unwrap();
    output.logits.tensor(0).unwrap().shallow_clone()
}

/// Adds a constant.
#[derive(Debug)]
struct Add(f64);

impl Edit for Add {
    fn apply(&self, selected: &Tensor, _part: &Part<'_>) -> Result<Tensor> {
        Ok(selected.f_add_scalar(self.0)?)
    }
}

/// Scales each element by another factor, so that no layer norm divides the change out.
#[derive(Debug)]
struct Ramp;

impl Edit for Ramp {
    fn apply(&self, selected: &Tensor, _part: &Part<'_>) -> Result<Tensor> {
        let options = (selected.kind(), selected.device());
        let factors = Tensor::linspace(0.5, 1.5, selected.numel() as i64, options);
        Ok(selected.f_mul(&factors.f_view(&selected.size()[..])?)?)
    }
}

/// Gives back something that does not fit.
#[derive(Debug)]
struct Narrower;

impl Edit for Narrower {
    fn apply(&self, selected: &Tensor, _part: &Part<'_>) -> Result<Tensor> {
        Ok(selected.f_narrow(2, 0, 1)?)
    }
}

/// Answers its hook for a layer of its own choice.
struct Misfiled(Hook);

impl HookRegistry for Misfiled {
    fn hooks(&self, layer: usize) -> &[Hook] {
        if layer == 1 { std::slice::from_ref(&self.0) } else { &[] }
    }

    fn layers(&self) -> Vec<usize> {
        vec![1]
    }
}

#[test]
fn no_hooks_is_bit_for_bit_the_plain_run() {
    let (model, batch) = (tiny(Precision::F32), single(&PROMPT));
    let plain = model.run(&batch).execute().unwrap();
    assert!(plain.ledger.entries().is_empty());
    for hooks in [&NoHooks as &dyn HookRegistry, &LayerScaling::new(), &Interventions::new()] {
        assert_identical(&logits(&model, &batch, hooks), plain.logits.tensor(0).unwrap());
    }
}

#[test]
fn capturing_changes_no_bit() {
    let (model, batch) = (tiny(Precision::F32), single(&PROMPT));
    let output = model.run(&batch).capture(all_sites(&model)).execute().unwrap();
    assert_identical(output.logits.tensor(0).unwrap(), &logits(&model, &batch, &NoHooks));
    assert_eq!(output.activations.sites().collect::<Vec<_>>(), all_sites(&model));
}

#[test]
fn the_residual_stream_is_the_sum_of_what_was_added() {
    let (model, batch) = (tiny(Precision::F64), single(&PROMPT));
    let output = model.run(&batch).capture(all_sites(&model)).execute().unwrap();
    let at = |site| output.activations.get(site, 0).unwrap();
    for layer in 0..model.config().n_layers {
        let mid = at(Site::resid_pre(layer)) + at(Site::attn_out(layer));
        assert_identical(&at(Site::resid_mid(layer)), &mid);
        let post = mid + at(Site::mlp_out(layer));
        assert_identical(&at(Site::resid_post(layer)), &post);
        if layer > 0 {
            assert_identical(&at(Site::resid_pre(layer)), &at(Site::resid_post(layer - 1)));
        }
    }
}

#[test]
fn scaling_by_one_changes_nothing_and_the_ledger_says_so() {
    let (model, batch) = (tiny(Precision::F64), single(&PROMPT));
    let clean = logits(&model, &batch, &NoHooks);
    for site in all_sites(&model) {
        let mut hooks = Interventions::new();
        hooks.scale(At::site(site), 1.0).unwrap();
        let output = model.run(&batch).hooks(&hooks).execute().unwrap();
        // An edit may lead off the fused path, which rounds in another order.
        let logits = output.logits.tensor(0).unwrap();
        assert!(largest_difference(logits, &clean) <= tolerance::F64, "{site}");
        assert_eq!(output.ledger.entries()[0].change_l2, 0.0);
    }
}

#[test]
fn editing_any_site_changes_the_logits() {
    // The tiny model's outlier channels saturate its first block; this one is trained.
    let bundled = Checkpoint::bundled().unwrap();
    let (model, _) = Gpt2::load(&bundled, Precision::F64, Device::Cpu).unwrap();
    let batch = single(&PROMPT);
    let clean = logits(&model, &batch, &NoHooks);
    for site in all_sites(&model) {
        let mut hooks = Interventions::new();
        hooks.add(Hook::new(At::site(site), Ramp));
        let output = model.run(&batch).hooks(&hooks).execute().unwrap();
        let difference = largest_difference(output.logits.tensor(0).unwrap(), &clean);
        assert!(difference > 1e-6, "{site}: {difference:e}");
        assert!(output.ledger.entries()[0].change_l2 > 1e-3, "{site}");
    }
}

#[test]
fn a_factor_on_the_last_resid_post_changes_the_site_and_not_the_logits() {
    let (model, batch) = (tiny(Precision::F64), single(&PROMPT));
    let mut hooks = Interventions::new();
    hooks.scale(At::resid_post(2), 0.5).unwrap();
    let output = model.run(&batch).hooks(&hooks).execute().unwrap();
    assert!(output.ledger.entries()[0].change_l2 > 1.0);
    // But for the epsilon of the final layer norm.
    let clean = logits(&model, &batch, &NoHooks);
    assert!(largest_difference(output.logits.tensor(0).unwrap(), &clean) < 1e-5);
}

#[test]
fn a_change_of_nothing_is_told_from_one_that_the_logits_do_not_show() {
    let (model, batch) = (tiny(Precision::F32), single(&PROMPT));
    let last = || model.run(&batch).unembed(Positions::last());
    let clean = last().execute().unwrap().logits;
    let effect = |change: &dyn Fn(&mut Interventions)| {
        let mut hooks = Interventions::new();
        change(&mut hooks);
        last().hooks(&hooks).execute().unwrap().effect(&clean).unwrap()
    };
    let at = |position| At::resid_post(2).positions(Positions::at(position));
    let scale = |position, factor| {
        effect(&|hooks: &mut Interventions| {
            hooks.scale(at(position), factor).unwrap();
        })
    };
    assert_eq!(scale(1, 1.0), Effect::NoChange);
    // An edit of the pattern leads off the fused path, which changes roundings; a factor of 1 nothing else.
    let one = effect(&|hooks| {
        hooks.scale(At::pattern(1), 1.0).unwrap();
    });
    assert_eq!(one, Effect::NoChange);
    // After the last attention no position reaches another one.
    assert_eq!(scale(1, 0.5), Effect::LogitsIdentical);
    let Effect::LogitsChanged { largest } = effect(&|hooks| {
        hooks.edit("raise", At::unembed().tokens([7]), |logits, _| Ok(logits.f_add_scalar(2.0)?));
    }) else {
        panic!("the logits are the same");
    };
    approx::assert_abs_diff_eq!(largest, 2.0, epsilon = 1e-5);
    let all = model.run(&batch).execute().unwrap();
    assert!(matches!(all.effect(&clean), Err(Error::Run(RunError::OtherLogits))));
}

#[test]
fn the_ledger_counts_and_measures_what_was_changed() {
    let (model, batch) = (tiny(Precision::F64), single(&PROMPT));
    let site = Site::mlp_out(1);
    let clean = model.run(&batch).capture([site]).execute().unwrap();
    let before = clean.activations.get(site, 0).unwrap().narrow(0, 1, 3);
    let mut hooks = Interventions::new();
    hooks.scale(At::mlp_out(1).positions(Positions::range(1..4)), 3.0).unwrap();
    let output = model.run(&batch).hooks(&hooks).capture([site]).execute().unwrap();
    let [entry] = output.ledger.entries() else { panic!("one hook, one entry") };
    assert_eq!((entry.site, entry.fired, entry.elements), (site, 1, 3 * 24));
    approx::assert_relative_eq!(
        entry.change_l2,
        2.0 * before.norm().double_value(&[]),
        max_relative = 1e-12
    );
    let after = output.activations.get(site, 0).unwrap();
    assert_identical(&after.narrow(0, 1, 3), &(before * 3.0));
    let untouched = clean.activations.get(site, 0).unwrap();
    assert_identical(&after.narrow(0, 0, 1), &untouched.narrow(0, 0, 1));
    assert_identical(&after.narrow(0, 4, 1), &untouched.narrow(0, 4, 1));
}

#[test]
fn edits_at_one_site_apply_in_the_order_in_which_they_were_added() {
    let (model, batch) = (tiny(Precision::F64), single(&PROMPT));
    let site = Site::resid_mid(1);
    let add = || Hook::new(At::resid_mid(1), Add(1.0));
    let scale = || Hook::new(At::resid_mid(1), Scale::new(0.5).unwrap());
    let at_site = |first: Hook, second: Hook| {
        let mut hooks = Interventions::new();
        // One at a later site, added before: it must not come between them.
        hooks.scale(At::resid_post(1), 1.0).unwrap();
        hooks.add(first).add(second);
        let output = model.run(&batch).hooks(&hooks).capture([site]).execute().unwrap();
        output.activations.get(site, 0).unwrap()
    };
    let clean = model.run(&batch).capture([site]).execute().unwrap();
    let clean = clean.activations.get(site, 0).unwrap();
    assert_identical(&at_site(add(), scale()), &((&clean + 1.0) * 0.5));
    assert_identical(&at_site(scale(), add()), &(&clean * 0.5 + 1.0));
}

#[test]
fn the_dictionary_changes_between_runs_with_nothing_to_register_again() {
    let (model, batch) = (tiny(Precision::F32), single(&PROMPT));
    let clean = logits(&model, &batch, &NoHooks);
    let mut scaling = LayerScaling::new();
    assert_eq!(scaling.insert(1, 0.6).unwrap(), None);
    let scaled = logits(&model, &batch, &scaling);
    assert!(largest_difference(&scaled, &clean) > 1e-3);
    assert_eq!(scaling.insert(1, 1.0).unwrap(), Some(0.6));
    assert_identical(&logits(&model, &batch, &scaling), &clean);
    assert_eq!(scaling.insert(1, 0.6).unwrap(), Some(1.0));
    assert_identical(&logits(&model, &batch, &scaling), &scaled);
    assert_eq!(scaling.remove(1), Some(0.6));
    assert_identical(&logits(&model, &batch, &scaling), &clean);
}

#[test]
fn unembedding_some_positions_gives_their_rows_alone() {
    let (model, batch) = (tiny(Precision::F64), single(&PROMPT));
    let all = model.run(&batch).execute().unwrap();
    let some = model.run(&batch).unembed(Positions::several([4, 1])).execute().unwrap();
    assert_eq!(some.logits.positions(0).unwrap(), [1, 4]);
    for position in [1, 4] {
        let (a, b) = (all.logits.at(0, position).unwrap(), some.logits.at(0, position).unwrap());
        approx::assert_abs_diff_eq!(a, b, epsilon = tolerance::F64);
    }
    assert_eq!(some.logits.last(0).unwrap(), some.logits.at(0, 4).unwrap());
    let error = some.logits.at(0, 2).unwrap_err();
    assert!(
        matches!(error, Error::Run(RunError::NotUnembedded { given: 2, sequence: 0, .. })),
        "{error}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_batch_of_any_lengths_gives_each_sequence_what_it_gives_alone(
        sequences in prop::collection::vec(prop::collection::vec(0_u32..101, 1..12), 1..6),
        layer in 0_usize..3,
        factor in -2.0_f64..2.0,
    ) {
        let model = tiny(Precision::F64);
        let mut hooks = Interventions::new();
        hooks.scale(At::mlp_out(layer).positions(Positions::last()), factor).unwrap();
        hooks.scale(At::resid_post(layer), 0.5).unwrap();
        let site = Site::resid_post(2);
        let batch = Batch::new(sequences.clone()).unwrap();
        let together = model.run(&batch).hooks(&hooks).capture([site]).execute().unwrap();
        for (sequence, tokens) in sequences.iter().enumerate() {
            let batch = single(tokens);
            let alone = model.run(&batch).hooks(&hooks).capture([site]).execute().unwrap();
            let a = together.logits.tensor(sequence).unwrap();
            prop_assert!(largest_difference(a, alone.logits.tensor(0).unwrap()) < tolerance::F64);
            let a = together.activations.get(site, sequence).unwrap();
            let b = alone.activations.get(site, 0).unwrap();
            prop_assert!(largest_difference(&a, &b) < tolerance::F64);
        }
    }
}

#[test]
fn a_layer_outside_the_model_is_an_error_for_hooks_and_captures() {
    let (model, batch) = (tiny(Precision::F32), single(&PROMPT));
    let mut scaling = LayerScaling::new();
    scaling.insert(3, 0.6).unwrap();
    let error = model.run(&batch).hooks(&scaling).execute().unwrap_err();
    assert_eq!(
        error.to_string(),
        "hook `Scale { factor: 0.6 }` cannot stand at blocks.3.hook_resid_post: \
         layer 3 is not in the model, allowed: 0 to 2"
    );
    let error = model.run(&batch).capture([Site::resid_pre(7)]).execute().unwrap_err();
    assert_eq!(
        error.to_string(),
        "blocks.7.hook_resid_pre cannot be captured: layer 7 is not in the model, allowed: 0 to 2"
    );
}

#[test]
fn a_position_outside_any_sequence_is_an_error_before_the_run() {
    let model = tiny(Precision::F32);
    let batch = Batch::new([vec![1, 2, 3, 4], vec![5, 6]]).unwrap();
    for positions in [
        Positions::at(2),
        Positions::range(1..3),
        Positions::range(1..1),
        Positions::several([0, 3]),
        Positions::several([]),
        Positions::from_end(3),
        Positions::from_end(0),
    ] {
        let mut hooks = Interventions::new();
        hooks.scale(At::resid_pre(0).positions(positions.clone()), 0.5).unwrap();
        let is_out_of_range = |error: &Error| {
            let Error::Selection(error) = error else { panic!("{error}") };
            match error {
                SelectionError::PositionOutOfRange { .. } => true,
                // Where none is named at all.
                SelectionError::EmptySelection { axis: "position" } => {
                    ["1..1", "[]"].contains(&&*positions.to_string())
                }
                _ => false,
            }
        };
        let hooked = model.run(&batch).hooks(&hooks).execute().unwrap_err();
        assert!(is_out_of_range(reason(&hooked)), "{positions}: {hooked}");
        let capture = Capture::new(Site::embed()).positions(positions.clone());
        let captured = model.run(&batch).capture([capture]).execute().unwrap_err();
        assert!(is_out_of_range(reason(&captured)), "{positions}: {captured}");
        let unembedded = model.run(&batch).unembed(positions.clone()).execute().unwrap_err();
        assert!(is_out_of_range(&unembedded), "{positions}: {unembedded}");
    }
}

#[test]
fn a_hook_that_never_fires_fails_the_run() {
    let (model, batch) = (tiny(Precision::F32), single(&PROMPT));
    let misfiled = Misfiled(Hook::new(At::resid_post(2), Add(1.0)));
    let error = model.run(&batch).hooks(&misfiled).execute().unwrap_err();
    assert_eq!(
        error.to_string(),
        "hook `Add(1.0)` at blocks.2.hook_resid_post, registered for layer 1, never fired"
    );
}

#[test]
fn an_edit_that_returns_another_shape_fails_the_run_and_names_its_site() {
    let (model, batch) = (tiny(Precision::F32), single(&PROMPT));
    let mut hooks = Interventions::new();
    hooks.add(Hook::new(At::attn_out(1).positions(Positions::last()), Narrower));
    let error = model.run(&batch).hooks(&hooks).execute().unwrap_err();
    assert_eq!(
        error.to_string(),
        "hook `Narrower` at blocks.1.hook_attn_out returned [1, 1, 1] Float on Cpu, \
         it was given [1, 1, 24] Float on Cpu"
    );
}

#[test]
fn an_error_of_libtorch_inside_an_edit_is_one_line() {
    #[derive(Debug)]
    struct Broken;
    impl Edit for Broken {
        fn apply(&self, selected: &Tensor, _part: &Part<'_>) -> Result<Tensor> {
            Ok(selected.f_matmul(&Tensor::zeros([7, 7], (Kind::Float, selected.device())))?)
        }
    }
    let (model, batch) = (tiny(Precision::F32), single(&PROMPT));
    let mut hooks = Interventions::new();
    hooks.add(Hook::new(At::attn_out(1), Broken));
    let error = model.run(&batch).hooks(&hooks).execute().unwrap_err();
    assert_eq!(error.to_string(), "hook `Broken` at blocks.1.hook_attn_out failed");
    let Error::Hook(HookError::EditFailed { source, .. }) = error else { panic!("{error}") };
    assert!(matches!(*source, Error::Torch(_)));
    assert_eq!(source.to_string().lines().count(), 1, "{source}");
}

#[test]
fn looking_up_what_was_not_captured_says_what_was() {
    let (model, batch) = (tiny(Precision::F32), single(&PROMPT));
    let sites = [Site::mlp_out(0), Site::resid_post(2)];
    let output = model.run(&batch).capture(sites).execute().unwrap();
    assert_eq!(
        output.activations.get(Site::resid_pre(0), 0).unwrap_err().to_string(),
        "blocks.0.hook_resid_pre was not captured of sequence 0, \
         captured of it: blocks.0.hook_mlp_out, blocks.2.hook_resid_post"
    );
    let error = output.activations.get(Site::mlp_out(0), 1).unwrap_err();
    assert!(
        matches!(error, Error::Batch(BatchError::NoSuchSequence { given: 1, len: 1 })),
        "{error}"
    );
}

#[test]
fn input_that_does_not_fit_the_model_is_an_error() {
    let model = tiny(Precision::F32);
    let failure = |tokens: Vec<u32>| model.run(&single(&tokens)).execute().unwrap_err();
    assert!(matches!(
        failure(vec![1; 33]),
        Error::Batch(BatchError::SequenceTooLong { given: 33, n_ctx: 32, .. })
    ));
    assert!(matches!(
        failure(vec![0, 101]),
        Error::Batch(BatchError::TokenOutOfRange { given: 101, d_vocab: 101 })
    ));
    assert!(matches!(
        Batch::single([]),
        Err(Error::Batch(BatchError::EmptySequence { sequence: 0 }))
    ));
    assert!(matches!(
        Batch::new(Vec::<Vec<u32>>::new()),
        Err(Error::Batch(BatchError::EmptyBatch))
    ));
    for factor in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(matches!(
            LayerScaling::new().insert(0, factor),
            Err(Error::Intervention(InterventionError::NotFinite { .. }))
        ));
        let scaled = Interventions::new().scale(At::resid_pre(0), factor).err();
        assert!(matches!(scaled, Some(Error::Intervention(InterventionError::NotFinite { .. }))));
    }
}

#[test]
fn the_change_of_a_hook_that_fires_twice_is_that_of_all_it_changed() {
    let model = tiny(Precision::F64);
    let batch = Batch::new([vec![3, 14, 15], vec![9, 2]]).unwrap();
    let site = Site::resid_mid(1);
    let clean = model.run(&batch).capture([site]).execute().unwrap().activations;
    let norm = |sequence| clean.get(site, sequence).unwrap().norm().double_value(&[]);
    let mut hooks = Interventions::new();
    hooks.zero(At::resid_mid(1));
    let output = model.run(&batch).hooks(&hooks).execute().unwrap();
    let entry = &output.ledger.entries()[0];
    assert_eq!(entry.fired, 2);
    approx::assert_relative_eq!(entry.change_l2, norm(0).hypot(norm(1)), max_relative = 1e-12);
}

#[test]
fn nan_is_named_with_its_own_sequence_and_position() {
    let model = tiny(Precision::F64);
    let batch = Batch::new([vec![1, 2, 3, 4, 5], vec![6, 7]]).unwrap();
    for (sequence, position) in [(0, 3), (1, 1)] {
        let mut hooks = Interventions::new();
        let at = At::unembed().sequences([sequence]).positions(Positions::at(position));
        hooks.edit("0/0", at, |logits, _| Ok(logits.f_mul_scalar(f64::NAN)?));
        for unembed in [Positions::all(), Positions::at(position)] {
            if sequence == 0 && unembed != Positions::all() {
                continue; // The other sequence has no such position.
            }
            let run = model.run(&batch).hooks(&hooks).unembed(unembed);
            let error = run.execute().unwrap_err();
            let expected = RunError::NotANumber { sequence, position };
            assert_eq!(error.to_string(), expected.to_string());
        }
    }
}

#[test]
fn what_a_run_gives_back_is_not_the_registrys_own_tensor() {
    let (model, batch) = (tiny(Precision::F64), single(&PROMPT));
    let value = Tensor::ones([1, 5, 24], (Kind::Double, Device::Cpu));
    let mut hooks = Interventions::new();
    hooks.set(At::resid_post(1), &value).unwrap();
    let run = || model.run(&batch).hooks(&hooks).capture([Site::resid_post(1)]).execute().unwrap();
    let before = run();
    let _ = before.activations.get(Site::resid_post(1), 0).unwrap().fill_(7.0);
    assert_identical(run().logits.tensor(0).unwrap(), before.logits.tensor(0).unwrap());
}

#[test]
fn infinities_that_are_equal_are_no_difference() {
    let (model, batch) = (tiny(Precision::F64), single(&PROMPT));
    let infinity = Tensor::from_slice(&[f64::NEG_INFINITY]);
    let banned = |factor: f64| {
        let mut hooks = Interventions::new();
        hooks.set(At::unembed().tokens([3]), &infinity).unwrap();
        hooks.scale(At::resid_post(0), factor).unwrap();
        model.run(&batch).hooks(&hooks).execute().unwrap()
    };
    let (clean, scaled) = (banned(1.0), banned(1.5));
    let effect = scaled.effect(&clean.logits).unwrap();
    let Effect::LogitsChanged { largest } = effect else { panic!("{effect:?}") };
    assert!(largest.is_finite() && largest > 0.0, "{largest}");
}

#[test]
fn losses_of_a_text_are_the_cross_entropy_of_its_next_tokens() {
    let model = tiny(Precision::F64);
    let batch = Batch::new([vec![3, 14, 15, 92, 65], vec![35, 89, 79], vec![7]]).unwrap();
    let logits = model.run(&batch).execute().unwrap().logits;
    for (sequence, tokens) in batch.sequences()[..2].iter().enumerate() {
        let next: Vec<i64> = tokens[1..].iter().map(|&token| i64::from(token)).collect();
        let count = next.len() as i64;
        let rows = logits.tensor(sequence).unwrap().narrow(0, 0, count);
        let of_next = rows.log_softmax(-1, Kind::Double);
        let of_next = of_next.gather(-1, &Tensor::from_slice(&next).unsqueeze(-1), false).neg();
        let expected = of_next.mean(Kind::Double).double_value(&[]);
        let losses = logits.losses(sequence).unwrap();
        assert_eq!(losses.len(), next.len());
        let mean = logits.mean_loss(sequence).unwrap();
        assert!((mean - expected).abs() <= tolerance::F64, "{mean} {expected}");
        for (place, &loss) in losses.iter().enumerate() {
            let expected = of_next.double_value(&[place as i64, 0]);
            assert!((loss - expected).abs() <= tolerance::F64, "{loss} {expected}");
        }
        // Of some positions, the tokens that follow those.
        let run = model.run(&batch).unembed(Positions::from_end(1)).execute().unwrap();
        assert_eq!(run.logits.losses(sequence).unwrap().len(), 0);
    }
    let run =
        model.run(&single(&[3, 14, 15, 92])).unembed(Positions::several([1, 3])).execute().unwrap();
    let of_whole =
        model.run(&single(&[3, 14, 15, 92])).execute().unwrap().logits.losses(0).unwrap();
    assert_eq!(run.logits.losses(0).unwrap().len(), 1);
    assert!((run.logits.losses(0).unwrap()[0] - of_whole[1]).abs() <= tolerance::F64);
    for error in [logits.mean_loss(2).unwrap_err(), run.logits.mean_loss(1).unwrap_err()] {
        assert!(
            matches!(
                error,
                Error::Analysis(AnalysisError::TooFewValues { .. })
                    | Error::Batch(BatchError::NoSuchSequence { .. })
            ),
            "{error}"
        );
    }
}
