//! Gradients against finite differences, in f64.

use hooked_gpt2::error::{BatchError, HookError, RunError};
use hooked_gpt2::hook::{At, Capture, Hook, Positions, Site};
use hooked_gpt2::intervention::{Add, Interventions};
use hooked_gpt2::tch::{Device, Kind, Tensor};
use hooked_gpt2::{Activations, Batch, Checkpoint, Error, Gpt2, Logits, Precision, Result};

use crate::support::{assert_identical, largest, largest_difference, single, tiny};
use crate::tolerance;

const PROMPT: [u32; 5] = [300, 1400, 15, 920, 65];
const TARGET: i64 = 477;

fn bundled() -> Gpt2 {
    let bundled = Checkpoint::bundled().unwrap();
    Gpt2::load(&bundled, Precision::F64, Device::Cpu).unwrap().0
}

fn log_prob(logits: &Logits) -> Result<Tensor> {
    Ok(logits.tensor(0)?.f_get(-1)?.f_log_softmax(-1, Kind::Double)?.f_get(TARGET)?)
}

/// A direction without symmetries, as large as a typical activation.
fn direction(like: &Tensor) -> Tensor {
    let count = like.numel() as i64;
    let steps = Tensor::arange(count, (Kind::Double, Device::Cpu));
    ((steps * 1.7 + 0.3).sin() * 0.5).view(&like.size()[..])
}

/// The derivative of the log-probability along `direction` at `site`, by central differences of
/// fourth order.
fn finite_difference(model: &Gpt2, batch: &Batch, site: Site, direction: &Tensor) -> f64 {
    const STEP: f64 = 1e-4;
    let value = |step: f64| {
        let mut hooks = Interventions::new();
        hooks.add(Hook::new(At::site(site), Add::new(direction, step).unwrap()));
        let output = model.run(batch).hooks(&hooks).execute().unwrap();
        log_prob(&output.logits).unwrap().double_value(&[])
    };
    let (near, far) = (value(STEP) - value(-STEP), value(2.0 * STEP) - value(-2.0 * STEP));
    (8.0 * near - far) / (12.0 * STEP)
}

#[test]
fn gradients_at_every_site_equal_finite_differences() {
    let (model, batch) = (bundled(), single(&PROMPT));
    let n_layers = model.config().n_layers;
    let is_fork = |site: &Site| {
        let name = site.to_string();
        name.ends_with("_input") || name.ends_with("attn_in")
    };
    let (forks, others): (Vec<Site>, Vec<Site>) = Site::all(n_layers).partition(is_fork);
    for sites in [forks, others] {
        let run = model.run(&batch).capture(sites.iter().copied());
        let (output, gradients) = run.differentiate(log_prob).unwrap();
        // One early, one middle and the last block, and what lies outside.
        for site in sites.into_iter().filter(|site| matches!(site.layer(), None | Some(0 | 6 | 11)))
        {
            let activation = output.activations.get(site, 0).unwrap();
            let gradient = gradients.get(site, 0).unwrap();
            let direction = direction(&activation);
            let derivative = (&gradient * &direction).sum(Kind::Double).double_value(&[]);
            let expected = finite_difference(&model, &batch, site, &direction);
            let allowed = 1e-6 * expected.abs().max(1.0);
            assert!((derivative - expected).abs() <= allowed, "{site}: {derivative}, {expected}");
            assert!(expected.abs() > 1e-5, "{site} does not matter: {expected}");
        }
    }
}

#[test]
fn differentiating_changes_no_result() {
    let (model, batch) = (bundled(), single(&PROMPT));
    let sites: Vec<Site> = (0..12).map(Site::resid_post).collect();
    let plain = model.run(&batch).capture(sites.iter().copied()).execute().unwrap();
    let run = model.run(&batch).capture(sites.iter().copied());
    let (output, _) = run.differentiate(log_prob).unwrap();
    let difference =
        largest_difference(output.logits.tensor(0).unwrap(), plain.logits.tensor(0).unwrap());
    assert!(difference <= tolerance::F64, "{difference:e}");
    for site in sites {
        let [a, b] = [&output, &plain].map(|run| run.activations.get(site, 0).unwrap());
        assert!(largest_difference(&a, &b) <= tolerance::F64);
        assert!(!a.requires_grad());
    }
    assert!(!output.logits.tensor(0).unwrap().requires_grad());
}

#[test]
fn a_guard_of_the_caller_does_not_silence_gradients() {
    let (model, batch) = (bundled(), single(&PROMPT));
    let site = Site::resid_post(2);
    let gradient = || {
        let run = model.run(&batch).capture([site]);
        run.differentiate(log_prob).unwrap().1.get(site, 0).unwrap()
    };
    let guarded = hooked_gpt2::tch::no_grad(gradient);
    assert!(largest(&guarded) > 0.0);
    assert!(largest_difference(&guarded, &gradient()) <= tolerance::F64);
}

#[test]
fn each_sequence_of_a_batch_has_the_gradient_that_it_has_alone() {
    let model = bundled();
    let sequences = [vec![300, 1400, 15], vec![65, 8], vec![920, 11, 4]];
    let sites = [Site::resid_mid(3), Site::pattern(5), Site::z(2)];
    let total = |logits: &Logits| -> Result<Tensor> {
        let mut total = Tensor::zeros([], (Kind::Double, Device::Cpu));
        for sequence in 0.. {
            let Ok(logits) = logits.tensor(sequence) else { break };
            let log_probs = logits.f_get(-1)?.f_log_softmax(-1, Kind::Double)?;
            total = total.f_add(&log_probs.f_get(TARGET)?)?;
        }
        Ok(total)
    };
    let batch = Batch::new(sequences.clone()).unwrap();
    let (_, together) = model.run(&batch).capture(sites).differentiate(total).unwrap();
    for (sequence, tokens) in sequences.iter().enumerate() {
        let batch = single(tokens);
        let (_, alone) = model.run(&batch).capture(sites).differentiate(total).unwrap();
        for site in sites {
            let (a, b) = (together.get(site, sequence).unwrap(), alone.get(site, 0).unwrap());
            assert!(largest_difference(&a, &b) <= tolerance::F64, "{site}");
            assert!(largest(&a) > 0.0);
        }
    }
}

#[test]
fn gradients_pass_through_edits_and_vanish_where_the_scalar_does_not_depend() {
    let (model, batch) = (bundled(), single(&PROMPT));
    let site = Site::resid_post(2);
    let mut doubled = Interventions::new();
    doubled.edit("double", At::resid_post(5), |selected, _| Ok(selected.f_mul_scalar(2.0)?));
    let run = model.run(&batch).hooks(&doubled).capture([site, Site::resid_post(5)]);
    let (_, gradients) = run.differentiate(log_prob).unwrap();
    let direction = direction(&gradients.get(site, 0).unwrap());
    let derivative =
        (gradients.get(site, 0).unwrap() * &direction).sum(Kind::Double).double_value(&[]);
    let value = |step: f64| {
        let mut hooks = Interventions::new();
        hooks.scale(At::resid_post(5), 2.0).unwrap();
        hooks.steer(At::resid_post(2), &direction, step).unwrap();
        let output = model.run(&batch).hooks(&hooks).execute().unwrap();
        log_prob(&output.logits).unwrap().double_value(&[])
    };
    let expected = (value(1e-4) - value(-1e-4)) / 2e-4;
    approx::assert_relative_eq!(derivative, expected, max_relative = 1e-5);

    // Everything after it is replaced, so nothing depends on it.
    let mut replaced = Interventions::new();
    replaced.zero(At::resid_post(5));
    let (mut cut, one) = (Interventions::new(), Tensor::ones([1], (Kind::Double, Device::Cpu)));
    cut.set(At::resid_post(5), &one).unwrap();
    for hooks in [&replaced, &cut] {
        let run = model.run(&batch).hooks(hooks).capture([site, Site::resid_post(5)]);
        let (_, gradients) = run.differentiate(log_prob).unwrap();
        assert_eq!(largest(&gradients.get(site, 0).unwrap()), 0.0);
        assert!(largest(&gradients.get(Site::resid_post(5), 0).unwrap()) > 0.0);
    }
}

#[test]
fn attribution_patching_is_exact_where_the_rest_is_linear() {
    // Between hook_unembed and a logit difference nothing is curved.
    let model = tiny(Precision::F64);
    let (clean, other) = (single(&[3, 14, 15]), single(&[9, 26, 53]));
    let difference = |logits: &Logits| -> Result<Tensor> {
        let last = logits.tensor(0)?.f_get(-1)?;
        Ok(last.f_get(7)?.f_sub(&last.f_get(8)?)?)
    };
    let site = Site::unembed();
    let run = model.run(&clean).capture([site]);
    let (output, gradients) = run.differentiate(difference).unwrap();
    let patch = model.run(&other).capture([site]).execute().unwrap();
    let patch = patch.activations.get(site, 0).unwrap();
    let attribution =
        (&patch - output.activations.get(site, 0).unwrap()) * gradients.get(site, 0).unwrap();
    let mut hooks = Interventions::new();
    hooks.set(At::unembed().positions(Positions::last()), &patch.get(-1)).unwrap();
    let patched = model.run(&clean).hooks(&hooks).execute().unwrap();
    let value = |logits: &Logits| difference(logits).unwrap().double_value(&[]);
    let effect = value(&patched.logits) - value(&output.logits);
    let predicted = attribution.sum(Kind::Double).double_value(&[]);
    approx::assert_relative_eq!(predicted, effect, max_relative = 1e-9);
}

#[test]
fn what_cannot_be_differentiated_is_a_typed_error() {
    let (model, batch) = (bundled(), single(&PROMPT));
    let site = Site::resid_post(2);
    let several = model
        .run(&batch)
        .capture([site])
        .differentiate(|logits| Ok(logits.tensor(0)?.shallow_clone()));
    let Err(error) = several else { panic!("8192 numbers are no scalar") };
    assert!(matches!(error, Error::Run(RunError::NotAScalar { .. })), "{error}");
    let round = [Site::q_input(1), Site::ln1_scale(1)];
    let Err(error) = model.run(&batch).capture(round).differentiate(log_prob) else { panic!() };
    assert!(matches!(error, Error::Hook(HookError::ForkRoundNorm { .. })), "{error}");
    let failed = model
        .run(&batch)
        .capture([site])
        .differentiate(|_| Err(Error::Batch(BatchError::EmptyBatch)));
    assert!(matches!(failed, Err(Error::Batch(BatchError::EmptyBatch))));
    // Without captures there is nothing to differentiate by.
    let (_, none) = model.run(&batch).differentiate(log_prob).unwrap();
    assert_eq!(none.sites().count(), 0);
}

#[test]
fn gradients_are_looked_up_by_the_capture_that_was_asked_for() {
    let (model, batch) = (bundled(), single(&PROMPT));
    let site = Site::z(3);
    let last = Capture::new(site).positions(Positions::last());
    let norms = Capture::new(Site::resid_mid(5)).norm();
    let run = model.run(&batch).capture([&last]).capture([&norms]);
    let (output, gradients) = run.differentiate(log_prob).unwrap();
    let whole = gradients.get(site, 0).unwrap();
    assert_identical(&gradients.get(&last, 0).unwrap(), &whole.narrow(0, 4, 1));
    assert_eq!(output.activations.get(&last, 0).unwrap().size(), whole.narrow(0, 4, 1).size());
    let of_whole = gradients.get(Site::resid_mid(5), 0).unwrap();
    let expected = of_whole.square().sum_dim_intlist(-1, false, Kind::Double).sqrt();
    assert!(largest_difference(&gradients.get(&norms, 0).unwrap(), &expected) <= 1e-12);
}

#[test]
fn a_gradient_before_the_edits_is_that_after_them_through_the_edit() {
    let (model, batch) = (bundled(), single(&PROMPT));
    for site in [Site::mlp_out(4), Site::pattern(4)] {
        let before = Capture::new(site).before_edits();
        let mut hooks = Interventions::new();
        hooks.scale(At::site(site), 0.25).unwrap();
        let run = model.run(&batch).hooks(&hooks).capture([&before]);
        let (_, gradients) = run.differentiate(log_prob).unwrap();
        let after = gradients.get(site, 0);
        assert!(after.is_err(), "only what was before the edits was asked for");
        let run = model.run(&batch).hooks(&hooks).capture([&before]).capture([site]);
        let (_, gradients) = run.differentiate(log_prob).unwrap();
        let (before, after) = (gradients.get(&before, 0).unwrap(), gradients.get(site, 0).unwrap());
        assert!(largest(&after) > 0.0);
        assert!(largest_difference(&before, &(after * 0.25)) <= 1e-15);
    }
}

#[test]
fn without_an_edit_the_gradients_before_and_after_it_are_one() {
    let model = tiny(Precision::F64);
    let batch = single(&[3, 14, 15, 92]);
    let scalar = |logits: &Logits| {
        Ok(logits.tensor(0)?.f_get(-1)?.f_log_softmax(-1, Kind::Double)?.f_get(7)?)
    };
    let is_fork = |site: &Site| {
        let name = site.to_string();
        name.ends_with("_input") || name.ends_with("attn_in")
    };
    let (forks, others): (Vec<Site>, Vec<Site>) = Site::all(3).partition(is_fork);
    for sites in [forks, others] {
        let before: Vec<_> = sites.iter().map(|&site| Capture::new(site).before_edits()).collect();
        // All of them at once, so that none takes the part of another.
        let run = model.run(&batch).capture(&before).capture(sites.iter().copied());
        let (_, together) = run.differentiate(scalar).unwrap();
        for (&site, before) in sites.iter().zip(&before) {
            let run = model.run(&batch).capture([before]);
            let (_, alone) = run.differentiate(scalar).unwrap();
            let after = together.get(site, 0).unwrap();
            for found in [together.get(before, 0).unwrap(), alone.get(before, 0).unwrap()] {
                let difference = largest_difference(&found, &after);
                assert!(difference <= 1e-12 * largest(&after).max(1.0), "{site}: {difference:e}");
            }
        }
    }
}

/// A neuron at two positions, times what a head attends to.
fn of_inside(activations: &Activations) -> Result<Tensor> {
    let neuron = activations.get(NEURONS, 0)?.f_narrow(0, 2, 2)?.f_select(-1, 30)?;
    let attended = activations.get(Site::pattern(8), 0)?.f_select(0, 1)?.f_narrow(0, 4, 1)?;
    Ok(neuron.f_sum(Kind::Double)?.f_mul(&attended.f_square()?.f_sum(Kind::Double)?)?)
}

const NEURONS: Site = Site::mlp_post(7);

#[test]
fn a_number_made_of_activations_is_differentiated_as_finite_differences_say() {
    let (model, batch) = (bundled(), single(&PROMPT));
    let (early, inside) = (Site::resid_mid(3), [NEURONS, Site::pattern(8)]);
    let run = model.run(&batch).capture([early]).capture(inside).without_logits();
    let (output, gradients) =
        run.differentiate_activations(|activations, _| of_inside(activations)).unwrap();
    assert_eq!(output.work.mlp_rows, 8 * PROMPT.len());
    let gradient = gradients.get(early, 0).unwrap();
    let direction = direction(&gradient);
    let found = (&gradient * &direction).sum(Kind::Double).double_value(&[]);
    let value = |step: f64| {
        let mut hooks = Interventions::new();
        hooks.steer(At::resid_mid(3), &direction, step).unwrap();
        let run = model.run(&batch).hooks(&hooks).capture(inside).without_logits();
        of_inside(&run.execute().unwrap().activations).unwrap().double_value(&[])
    };
    let (near, far) = (value(1e-4) - value(-1e-4), value(2e-4) - value(-2e-4));
    let expected = (8.0 * near - far) / (12.0 * 1e-4);
    assert!(expected.abs() > 1e-4, "{expected}");
    approx::assert_relative_eq!(found, expected, max_relative = 1e-6);
}

#[test]
fn a_number_made_of_a_captured_part_has_its_gradient_there_and_nowhere_else() {
    let (model, batch) = (bundled(), Batch::new([vec![300, 1400, 15], vec![65, 8]]).unwrap());
    let site = Site::resid_post(5);
    let last = Capture::new(site).positions(Positions::last());
    let run = model.run(&batch).capture([&last]).capture([Site::resid_post(9)]);
    let (_, gradients) = run
        .differentiate_activations(|activations, _| {
            Ok(activations.get(&last, 0)?.f_sum(Kind::Double)?)
        })
        .unwrap();
    let expected = Tensor::cat(
        &[
            Tensor::zeros([2, 128], (Kind::Double, Device::Cpu)),
            Tensor::ones([1, 128], (Kind::Double, Device::Cpu)),
        ],
        0,
    );
    assert_identical(&gradients.get(site, 0).unwrap(), &expected);
    assert_eq!(largest(&gradients.get(site, 1).unwrap()), 0.0);
    assert_eq!(largest(&gradients.get(Site::resid_post(9), 0).unwrap()), 0.0);
}

#[test]
fn of_logits_alone_both_ways_to_differentiate_give_the_same() {
    let (model, batch, site) = (bundled(), single(&PROMPT), Site::z(4));
    let of_logits = model.run(&batch).capture([site]).differentiate(log_prob).unwrap().1;
    let run = model.run(&batch).capture([site]);
    let (output, of_both) = run.differentiate_activations(|_, logits| log_prob(logits)).unwrap();
    assert_identical(&of_both.get(site, 0).unwrap(), &of_logits.get(site, 0).unwrap());
    assert!(!output.activations.get(site, 0).unwrap().requires_grad());
}

#[test]
fn a_number_made_of_activations_that_were_cut_off_is_refused() {
    let (model, batch, site) = (bundled(), single(&PROMPT), Site::z(4));
    let run = || model.run(&batch).capture([site]);
    for run in [run(), run().without_logits()] {
        let detached = run.differentiate_activations(|activations, _| {
            Ok(activations.get(site, 0)?.f_detach()?.f_sum(Kind::Double)?)
        });
        let Err(error) = detached else { panic!("a number without a graph was differentiated") };
        assert!(matches!(error, Error::Run(RunError::Detached)), "{error}");
    }
    let missing = run().differentiate_activations(|activations, _| activations.get(Site::z(5), 0));
    assert!(missing.is_err());
}
