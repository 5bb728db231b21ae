//! What each edit does, by what must follow from it.

use hooked_gpt2::error::{BatchError, HookError, InterventionError, SelectionError};
use hooked_gpt2::hook::{At, Hook, Positions, Site};
use hooked_gpt2::intervention::{Add, Interpolate, Interventions, Set};
use hooked_gpt2::tch::{Device, Kind, Tensor};
use hooked_gpt2::{Batch, Error, Gpt2, Precision, RunOutput};

use crate::support::{assert_identical, chain, largest, largest_difference, reason, single, tiny};
use crate::tolerance;

const PROMPT: [u32; 5] = [3, 14, 15, 92, 65];
const OTHER: [u32; 5] = [35, 89, 79, 32, 38];

fn run(model: &Gpt2, prompt: &[u32], hooks: &Interventions) -> RunOutput {
    let batch = single(prompt);
    let sites = Site::all(model.config().n_layers);
    model.run(&batch).hooks(hooks).capture(sites).execute().unwrap()
}

fn logits(run: &RunOutput) -> &Tensor {
    run.logits.tensor(0).unwrap()
}

fn at(run: &RunOutput, site: Site) -> Tensor {
    run.activations.get(site, 0).unwrap()
}

fn no_hooks() -> Interventions {
    Interventions::new()
}

#[test]
fn patching_a_run_with_itself_is_the_identity() {
    let model = tiny(Precision::F64);
    let clean = run(&model, &PROMPT, &no_hooks());
    for site in Site::all(model.config().n_layers) {
        let mut hooks = Interventions::new();
        hooks.set(At::site(site), &at(&clean, site)).unwrap();
        let patched = run(&model, &PROMPT, &hooks);
        assert!(largest_difference(logits(&patched), logits(&clean)) <= tolerance::F64, "{site}");
        assert_eq!(patched.ledger.entries()[0].change_l2, 0.0, "{site}");
    }
}

#[test]
fn patching_the_whole_residual_of_another_run_gives_the_other_run() {
    let model = tiny(Precision::F64);
    let other = run(&model, &OTHER, &no_hooks());
    for layer in 0..model.config().n_layers {
        let mut hooks = Interventions::new();
        hooks.set(At::resid_post(layer), &at(&other, Site::resid_post(layer))).unwrap();
        assert_identical(logits(&run(&model, &PROMPT, &hooks)), logits(&other));
    }
}

#[test]
fn patching_one_position_reaches_that_position_and_later_ones_alone() {
    let model = tiny(Precision::F64);
    let (clean, other) = (run(&model, &PROMPT, &no_hooks()), run(&model, &OTHER, &no_hooks()));
    let row = at(&other, Site::resid_mid(0)).get(2);
    let mut hooks = Interventions::new();
    hooks.set(At::resid_mid(0).positions(Positions::at(2)), &row).unwrap();
    let patched = run(&model, &PROMPT, &hooks);
    assert_identical(&at(&patched, Site::resid_mid(0)).get(2), &row);
    let changed = |position| {
        let [a, b] = [logits(&patched), logits(&clean)].map(|logits| logits.get(position));
        largest_difference(&a, &b)
    };
    assert!(changed(0) <= tolerance::F64 && changed(1) <= tolerance::F64);
    assert!(changed(2) > 1e-3 && changed(4) > 1e-6);
}

#[test]
fn zero_ablation_is_setting_to_zero() {
    let model = tiny(Precision::F64);
    let zero = Tensor::zeros([1], (Kind::Double, Device::Cpu));
    let (mut zeroed, mut set) = (Interventions::new(), Interventions::new());
    zeroed.zero(At::z(1).heads([2]));
    set.set(At::z(1).heads([2]), &zero).unwrap();
    let (zeroed, set) = (run(&model, &PROMPT, &zeroed), run(&model, &PROMPT, &set));
    assert_identical(logits(&zeroed), logits(&set));
    assert_eq!(largest(&at(&zeroed, Site::z(1)).select(1, 2)), 0.0);
    assert!(largest(&at(&zeroed, Site::z(1)).select(1, 1)) > 0.0);
}

#[test]
fn steering_adds_the_multiple_of_the_vector() {
    let model = tiny(Precision::F64);
    let vector = Tensor::linspace(-1.0, 2.0, 24, (Kind::Double, Device::Cpu));
    let clean = run(&model, &PROMPT, &no_hooks());
    let site = Site::resid_post(1);
    let mut hooks = Interventions::new();
    let place = At::resid_post(1).positions(Positions::range(1..5));
    hooks.steer(place, &vector, -0.5).unwrap();
    let steered = run(&model, &PROMPT, &hooks);
    let expected = at(&clean, site);
    let _ = expected.narrow(0, 1, 4).g_add_(&(&vector * -0.5));
    assert!(largest_difference(&at(&steered, site), &expected) <= tolerance::F64);
    let change = steered.ledger.entries()[0].change_l2;
    let norm = (&vector * -0.5).norm().double_value(&[]) * 2.0;
    approx::assert_relative_eq!(change, norm, max_relative = 1e-9);
}

#[test]
fn interpolation_runs_from_the_activation_to_the_target() {
    let model = tiny(Precision::F64);
    let (clean, other) = (run(&model, &PROMPT, &no_hooks()), run(&model, &OTHER, &no_hooks()));
    let site = Site::mlp_out(1);
    for (weight, expected) in [
        (0.0, at(&clean, site)),
        (1.0, at(&other, site)),
        (0.25, at(&clean, site) * 0.75 + at(&other, site) * 0.25),
        (-1.0, at(&clean, site) * 2.0 - at(&other, site)),
    ] {
        let mut hooks = Interventions::new();
        hooks.interpolate(At::mlp_out(1), &at(&other, site), weight).unwrap();
        let moved = run(&model, &PROMPT, &hooks);
        assert!(largest_difference(&at(&moved, site), &expected) <= tolerance::F64, "{weight}");
    }
}

#[test]
fn knocked_out_edges_give_their_attention_to_the_other_keys() {
    let model = tiny(Precision::F64);
    let clean = run(&model, &PROMPT, &no_hooks());
    let mut hooks = Interventions::new();
    hooks.knock_out(1, [2], Positions::at(3), Positions::range(0..2));
    let cut = run(&model, &PROMPT, &hooks);
    let pattern = |run: &RunOutput, head| at(run, Site::pattern(1)).get(head);
    let rows = pattern(&clean, 2).get(3);
    let left = 1.0 - rows.narrow(0, 0, 2).sum(Kind::Double);
    let expected: Tensor = rows / left;
    let _ = expected.narrow(0, 0, 2).zero_();
    assert!(largest_difference(&pattern(&cut, 2).get(3), &expected) <= tolerance::F64);
    assert_identical(&pattern(&cut, 2).get(4), &pattern(&clean, 2).get(4));
    assert_identical(&pattern(&cut, 1), &pattern(&clean, 1));
}

#[test]
fn a_query_without_keys_is_an_error_and_names_it() {
    let model = tiny(Precision::F64);
    let mut hooks = Interventions::new();
    hooks.knock_out(2, [1], Positions::range(3..5), Positions::range(0..4));
    let error = model.run(&single(&PROMPT)).hooks(&hooks).execute().unwrap_err();
    assert_eq!(
        chain(&error),
        "sequence 0: blocks.2.attn.hook_attn_scores: head 1 has no key left at query position 3"
    );
}

#[test]
fn a_closure_is_told_where_it_is_and_writes_into_a_copy() {
    let model = tiny(Precision::F64);
    let batch = Batch::new([vec![1, 2, 3], vec![4, 5], vec![6, 7, 8]]).unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    let mut hooks = Interventions::new();
    let place = At::resid_pre(1).sequences([0, 1]).positions(Positions::last());
    hooks.edit("spoil", place, move |selected, part| {
        let seen = (part.site, part.sequences.to_vec(), part.positions.to_vec(), selected.size());
        sender.send(seen).unwrap();
        let mut own = selected.shallow_clone();
        let _ = own.fill_(0.0);
        Ok(selected.f_mul_scalar(1.0)?)
    });
    let captured = [Site::resid_post(0), Site::resid_pre(1)];
    let clean = model.run(&batch).capture(captured).execute().unwrap();
    let edited = model.run(&batch).hooks(&hooks).capture(captured).execute().unwrap();
    let site = Site::resid_pre(1);
    assert_eq!(
        receiver.try_iter().collect::<Vec<_>>(),
        [(site, vec![1], vec![1], vec![1, 1, 24]), (site, vec![0], vec![2], vec![1, 1, 24])]
    );
    let at = |run: &RunOutput, site| run.activations.get(site, 0).unwrap();
    assert_identical(&at(&edited, captured[0]), &at(&clean, captured[0]));
    assert_eq!(largest(&at(&edited, site).get(2)), 0.0);
    assert!(edited.ledger.entries()[0].change_l2 > 1.0);
}

#[test]
fn an_edit_that_does_not_fit_is_refused_before_the_run() {
    let model = tiny(Precision::F64);
    let double = (Kind::Double, Device::Cpu);
    let refused = |hook: Hook| {
        let mut hooks = Interventions::new();
        // This one would fail the run, if anything were run.
        hooks.edit("fails", At::embed(), |_, _| Err(Error::Batch(BatchError::EmptyBatch)));
        hooks.add(hook);
        model.run(&single(&PROMPT)).hooks(&hooks).execute().unwrap_err().to_string()
    };
    let wrong = Tensor::zeros([4, 24], double);
    assert_eq!(
        refused(Hook::new(At::resid_post(1), Set::new(&wrong).unwrap())),
        "hook `Set { value: Tensor[[4, 24], Double] }` cannot stand at \
         blocks.1.hook_resid_post: its tensor is [4, 24] Double on Cpu, \
         it must repeat into [1, 5, 24] Double on Cpu"
    );
    assert_eq!(
        refused(Hook::new(At::z(0).heads([0, 1]), Add::new(&wrong, 1.0).unwrap())),
        "hook `Add { vector: Tensor[[4, 24], Double], coefficient: 1.0 }` cannot stand at \
         blocks.0.attn.hook_z, heads [0, 1]: its tensor is [4, 24] Double on Cpu, \
         it must repeat into [1, 5, 2, 8] Double on Cpu"
    );
    let single_precision = Tensor::zeros([24], (Kind::Float, Device::Cpu));
    assert_eq!(
        refused(Hook::new(At::mlp_out(2), Interpolate::new(&single_precision, 0.5).unwrap())),
        "hook `Interpolate { target: Tensor[[24], Float], weight: 0.5 }` cannot stand at \
         blocks.2.hook_mlp_out: its tensor is [24] Float on Cpu, \
         it must repeat into [1, 5, 24] Double on Cpu"
    );
    let too_deep = Tensor::zeros([1, 1, 1, 24], double);
    assert!(refused(Hook::new(At::resid_post(1), Set::new(&too_deep).unwrap())).ends_with(
        "its tensor is [1, 1, 1, 24] Double on Cpu, it must repeat into [1, 5, 24] Double on Cpu"
    ));
    for not_finite in [f64::NAN, f64::INFINITY] {
        assert!(matches!(
            Add::new(&wrong, not_finite),
            Err(Error::Intervention(InterventionError::NotFinite { .. }))
        ));
        assert!(matches!(
            Interpolate::new(&wrong, not_finite),
            Err(Error::Intervention(InterventionError::NotFinite { .. }))
        ));
    }
}

#[test]
fn a_value_that_changes_later_does_not_change_the_edit() {
    let model = tiny(Precision::F64);
    let mut value = Tensor::ones([24], (Kind::Double, Device::Cpu));
    let mut hooks = Interventions::new();
    hooks.set(At::resid_mid(1), &value).unwrap();
    let _ = value.fill_(7.0);
    let output = run(&model, &PROMPT, &hooks);
    assert_eq!(largest(&at(&output, Site::resid_mid(1))), 1.0);
}

#[test]
fn the_failure_of_a_closure_names_hook_and_site() {
    let model = tiny(Precision::F64);
    let mut hooks = Interventions::new();
    hooks.edit("fails", At::pattern(1), |_, _| Err(Error::Batch(BatchError::EmptyBatch)));
    let error = model.run(&single(&PROMPT)).hooks(&hooks).execute().unwrap_err();
    assert_eq!(error.to_string(), "hook `fails` at blocks.1.attn.hook_pattern failed");
}

#[test]
fn skipping_a_block_equals_patching_its_output_with_its_input() {
    let model = tiny(Precision::F64);
    let clean = run(&model, &PROMPT, &no_hooks());
    let batch = single(&PROMPT);
    for layer in 0..model.config().n_layers {
        let (mut skip, mut patch) = (Interventions::new(), Interventions::new());
        skip.skip(layer);
        patch.set(At::resid_post(layer), &at(&clean, Site::resid_pre(layer))).unwrap();
        let ends = [Site::resid_pre(layer), Site::resid_post(layer)];
        let skipped = model.run(&batch).hooks(&skip).capture(ends).execute().unwrap();
        assert_identical(logits(&skipped), logits(&run(&model, &PROMPT, &patch)));
        assert_identical(&at(&skipped, ends[0]), &at(&skipped, ends[1]));
        assert!(largest_difference(logits(&skipped), logits(&clean)) > 1e-3);
    }
}

#[test]
fn nothing_inside_a_skipped_block_can_be_hooked_or_captured() {
    let model = tiny(Precision::F64);
    let batch = single(&PROMPT);
    let mut hooks = Interventions::new();
    hooks.skip(1).zero(At::resid_post(1).positions(Positions::at(0)));
    let output = model.run(&batch).hooks(&hooks).capture([Site::resid_post(1)]).execute().unwrap();
    assert_eq!(largest(&at(&output, Site::resid_post(1)).get(0)), 0.0);
    for site in Site::of_block(1).filter(|site| !site.to_string().contains("resid_p")) {
        let capture = model.run(&batch).hooks(&hooks).capture([site]).execute().unwrap_err();
        assert!(
            matches!(reason(&capture), Error::Hook(HookError::InSkippedBlock)),
            "{site}: {capture}"
        );
        let mut dead = Interventions::new();
        dead.skip(1).zero(At::site(site));
        let dead = model.run(&batch).hooks(&dead).execute().unwrap_err();
        assert!(matches!(reason(&dead), Error::Hook(HookError::InSkippedBlock)), "{site}: {dead}");
    }
    let mut outside = Interventions::new();
    outside.skip(3);
    let error = model.run(&batch).hooks(&outside).execute().unwrap_err();
    assert!(
        matches!(error, Error::Selection(SelectionError::LayerOutOfRange { given: 3, .. })),
        "{error}"
    );
}

#[test]
fn the_first_site_that_is_not_finite_is_named_on_request() {
    let model = tiny(Precision::F32);
    let batch = Batch::new([vec![1, 2, 3], vec![4, 5]]).unwrap();
    let error = |hooks: &Interventions| {
        model.run(&batch).hooks(hooks).check_finite().execute().unwrap_err().to_string()
    };
    let mut hooks = Interventions::new();
    hooks.scale(At::mlp_out(1).sequences([0]).positions(Positions::at(1)), 3e38).unwrap();
    assert_eq!(error(&hooks), "blocks.1.hook_mlp_out is not finite at position 1 of sequence 0");
    let mut hooks = Interventions::new();
    hooks.edit("0/0", At::pattern(2).queries(Positions::last()), |pattern, _| {
        Ok(pattern.f_mul_scalar(f64::NAN)?)
    });
    assert_eq!(
        error(&hooks),
        "blocks.2.attn.hook_pattern is not finite at position 1 of sequence 1"
    );
    let clean = model.run(&batch).check_finite().execute().unwrap();
    let plain = model.run(&batch).execute().unwrap();
    assert_identical(logits(&clean), logits(&plain));
    let last = model.run(&batch).unembed(Positions::last()).check_finite().execute().unwrap();
    for sequence in [0, 1] {
        let [a, b] = [&last, &plain].map(|run| run.logits.last(sequence).unwrap());
        approx::assert_abs_diff_eq!(a, b, epsilon = tolerance::F32);
    }
    // Masked scores are infinite as they should be.
    let watched = model.run(&batch).capture([Site::attn_scores(0)]).check_finite().execute();
    assert!(watched.is_ok());
}
