//! What code of the user's own does inside a run: it panics, fails, writes where it should not, and nothing else
//! is harmed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use hooked_gpt2::error::{Error, HookError, InterventionError, RunError, SweepError};
use hooked_gpt2::hook::{At, Edit, Hook, HookRegistry, Part, Positions, Site};
use hooked_gpt2::intervention::Interventions;
use hooked_gpt2::sweep::{Axis, Sweep, Variants};
use hooked_gpt2::tch::{self, Device, Kind, Tensor};
use hooked_gpt2::{Batch, Precision, Result};

use crate::support::{chain, reason, single, tiny};

const PROMPT: [u32; 5] = [3, 14, 15, 92, 65];

/// Whether what is computed now can be differentiated.
fn has_gradients() -> bool {
    let leaf = Tensor::ones([1], (Kind::Double, Device::Cpu)).set_requires_grad(true);
    (leaf * 2.0).requires_grad()
}

#[test]
fn a_panic_in_a_hook_or_a_metric_leaves_gradients_as_they_were() {
    let model = tiny(Precision::F64);
    let batch = single(&PROMPT);
    let mut hooks = Interventions::new();
    hooks.edit("panics", At::z(1), |_, _| panic!("a mistake of the user's"));
    let panics = |run: &dyn Fn()| catch_unwind(AssertUnwindSafe(run)).is_err();
    assert!(has_gradients());
    assert!(panics(&|| drop(model.run(&batch).hooks(&hooks).execute())));
    assert!(has_gradients());
    assert!(panics(&|| drop(model.generate(&batch, 2).hooks(&hooks).execute())));
    assert!(has_gradients());
    let variants = Variants::skipped_blocks(model.config(), &batch).unwrap();
    let plan = Sweep::new(&model, &batch).plan(&variants).unwrap();
    assert!(panics(&|| drop(plan.read(|_| panic!("a mistake of the reader's")))));
    assert!(has_gradients());
    tch::no_grad(|| {
        let run = || model.run(&batch).hooks(&hooks).capture([Site::z(2)]);
        assert!(panics(&|| drop(run().differentiate(|_| panic!("no run comes here")))));
        assert!(!has_gradients());
    });
    assert!(has_gradients());
}

/// Doubles what it is given, in place.
#[derive(Debug)]
struct WritesInPlace;

impl Edit for WritesInPlace {
    fn apply(&self, selected: &Tensor, _part: &Part<'_>) -> Result<Tensor> {
        let mut same = selected.shallow_clone();
        Ok(same.f_mul_(&Tensor::f_from_slice(&[2.0])?)?)
    }
}

#[test]
fn an_edit_that_writes_in_place_is_refused_by_name() {
    let model = tiny(Precision::F64);
    for at in [At::site(Site::mlp_out(1)), At::site(Site::z(0)).positions(Positions::last())] {
        let mut hooks = Interventions::new();
        hooks.add(Hook::new(at, WritesInPlace));
        let error = model.run(&single(&PROMPT)).hooks(&hooks).execute().unwrap_err();
        assert!(matches!(error, Error::Hook(HookError::WroteInPlace { .. })), "{error}");
        assert!(error.to_string().contains("WritesInPlace"), "{error}");
    }
}

#[test]
fn a_number_that_does_not_depend_on_the_logits_is_not_differentiated() {
    let model = tiny(Precision::F64);
    let batch = single(&PROMPT);
    let run = || model.run(&batch).capture([Site::resid_pre(1)]);
    let detached = run().differentiate(|logits| Ok(logits.tensor(0)?.f_sum(None)?.f_detach()?));
    assert!(matches!(detached, Err(Error::Run(RunError::Detached))));
    let constant = run().differentiate(|_| Ok(Tensor::f_zeros([1], (Kind::Double, Device::Cpu))?));
    assert!(matches!(constant, Err(Error::Run(RunError::Detached))));
}

#[test]
fn numbers_beyond_the_number_format_are_refused_and_do_not_panic() {
    let batch = single(&PROMPT);
    let value = |precision| match precision {
        Precision::F64 => Tensor::ones([1], (Kind::Double, Device::Cpu)),
        _ => Tensor::ones([1], (Kind::Float, Device::Cpu)),
    };
    for (precision, allowed) in [(Precision::F32, false), (Precision::F64, true)] {
        let model = tiny(precision);
        for edit in 0..3 {
            let mut hooks = Interventions::new();
            let at = At::resid_post(1);
            match edit {
                0 => hooks.scale(at, 3.5e38).unwrap(),
                1 => hooks.steer(at, &value(precision), -3.5e38).unwrap(),
                _ => hooks.interpolate(at, &value(precision), 3.5e38).unwrap(),
            };
            let run = model.run(&batch).hooks(&hooks).execute();
            assert_eq!(run.is_ok(), allowed, "{edit} {precision}");
            if let Err(error) = run {
                let reason = reason(&error);
                let expected = Error::Intervention(InterventionError::OutOfRange {
                    what: ["the scaling factor", "the coefficient", "the weight"][edit],
                    given: if edit == 1 { -3.5e38 } else { 3.5e38 },
                    largest: f32::MAX.into(),
                });
                assert_eq!(reason.to_string(), expected.to_string());
            }
        }
    }
}

/// Answers its hook for another layer than that of its site.
struct WrongLayer(Vec<Hook>);

impl HookRegistry for WrongLayer {
    fn hooks(&self, layer: usize) -> &[Hook] {
        if layer == 2 { &self.0 } else { &[] }
    }

    fn layers(&self) -> Vec<usize> {
        vec![2]
    }
}

#[test]
fn what_a_sweep_refuses_its_reference_refuses_too() {
    let model = tiny(Precision::F64);
    let batch = single(&PROMPT);
    let hooks = |_: &[usize], _| Ok(WrongLayer(vec![Hook::new(At::z(1), WritesNothing)]));
    let variants = Variants::over([Axis::counting("one", 1)], hooks, &batch).unwrap();
    let plan = Sweep::new(&model, &batch).plan(&variants).unwrap();
    for measured in [plan.measure(&[]), plan.measure_isolated(&[])] {
        let error = measured.unwrap_err();
        assert!(chain(&error).contains("registered for layer 2, never fired"), "{}", chain(&error));
    }
}

/// Leaves everything as it is.
#[derive(Debug)]
struct WritesNothing;

impl Edit for WritesNothing {
    fn apply(&self, selected: &Tensor, _part: &Part<'_>) -> Result<Tensor> {
        Ok(selected.f_alias_copy()?)
    }
}

/// `main` prints what it returns by `Debug`.
#[test]
fn a_main_that_returns_an_error_says_it_and_its_causes_in_words() {
    let error = Batch::single(Vec::new()).unwrap_err();
    let said = "sequence 0 of the batch is empty, at least one token is needed";
    assert_eq!(format!("{error:?}"), said);
    let within = SweepError::Variant { variant: "layer 3".to_owned(), source: Box::new(error) };
    let boxed: Box<dyn std::error::Error> = Error::from(within).into();
    assert_eq!(format!("{boxed:?}"), format!("layer 3: {said}"));
    assert_eq!(format!("{boxed:#?}"), format!("layer 3: {said}"));
}

#[test]
fn the_alternate_form_of_an_error_has_its_causes_once() {
    #[derive(Debug, thiserror::Error)]
    #[error("mine")]
    struct Mine(#[source] std::num::ParseFloatError);

    let mine = || Mine("x".parse::<f64>().unwrap_err());
    let error = Error::other(mine());
    assert_eq!(error.to_string(), "mine");
    assert_eq!(format!("{error:#}"), "mine: invalid float literal");
    // Whoever writes causes by itself, as the errors of others do, is not followed by them once more.
    let within = SweepError::Variant { variant: "layer 3".to_owned(), source: Box::new(error) };
    let error = Error::from(within);
    assert_eq!(error.to_string(), "layer 3");
    assert_eq!(format!("{error:#}"), "layer 3: mine: invalid float literal");
    assert_eq!(format!("{error:#}"), crate::support::chain(&error));
}
