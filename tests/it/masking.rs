//! What hides keys from queries, and what becomes of it under edits.

use hooked_gpt2::error::{Error, HookError};
use hooked_gpt2::hook::{At, Capture, Hook, Positions, Site};
use hooked_gpt2::intervention::{Add, Clamp, Interpolate, Interventions, Noise, Scale, Set};
use hooked_gpt2::tch::{Device, Kind, Tensor};
use hooked_gpt2::{Gpt2, Precision, RunOutput};

use crate::support::{assert_identical, chain, largest_difference, reason, single, tiny};

const PROMPT: [u32; 5] = [3, 14, 15, 92, 65];
const DOUBLE: (Kind, Device) = (Kind::Double, Device::Cpu);

/// Each edit that could bring hidden scores back, or make NaN of them.
fn edits_of_scores() -> Vec<(&'static str, Hook)> {
    let at = || At::attn_scores(1);
    let value = Tensor::full([1], 0.5, DOUBLE);
    vec![
        ("zero", Hook::new(at(), Scale::ZERO)),
        ("negative factor", Hook::new(at(), Scale::new(-2.0).unwrap())),
        ("set", Hook::new(at(), Set::new(&value).unwrap())),
        ("add", Hook::new(at(), Add::new(&value, -3.0).unwrap())),
        ("interpolate", Hook::new(at(), Interpolate::new(&value, 0.3).unwrap())),
        ("interpolate beyond", Hook::new(at(), Interpolate::new(&value, -1.0).unwrap())),
        ("noise", Hook::new(at(), Noise::gaussian(1.0, 3).unwrap())),
        ("bounds", Hook::new(at(), Clamp::between(-0.5, 0.5).unwrap())),
    ]
}

fn run(model: &Gpt2, hooks: &Interventions) -> RunOutput {
    let sites = [Site::attn_scores(1), Site::pattern(1)];
    model.run(&single(&PROMPT)).hooks(hooks).capture(sites).execute().unwrap()
}

#[test]
fn hidden_keys_stay_hidden_under_every_edit_and_nothing_becomes_nan() {
    let model = tiny(Precision::F64);
    for (name, hook) in edits_of_scores() {
        let mut hooks = Interventions::new();
        hooks.knock_out(1, [2], Positions::range(3..5), Positions::at(1));
        hooks.add(hook);
        let output = run(&model, &hooks);
        let scores = output.activations.get(Site::attn_scores(1), 0).unwrap();
        let pattern = output.activations.get(Site::pattern(1), 0).unwrap();
        for (head, query, key) in (0..75).map(|place| (place / 25, place / 5 % 5, place % 5)) {
            let of = |tensor: &Tensor| tensor.double_value(&[head, query, key]);
            let is_hidden = key > query || (head == 2 && query >= 3 && key == 1);
            assert_eq!(of(&scores) == f64::NEG_INFINITY, is_hidden, "{name} {head} {query} {key}");
            assert_eq!(of(&pattern) == 0.0, is_hidden, "{name} {head} {query} {key}");
        }
        assert!(bool::try_from(scores.isnan().any()).is_ok_and(|nan| !nan), "{name}");
        let logits = output.logits.last(0).unwrap();
        assert!(logits.iter().all(|logit| logit.is_finite()), "{name}");
    }
}

#[test]
fn a_change_of_scores_counts_what_is_not_hidden() {
    let model = tiny(Precision::F64);
    let mut hooks = Interventions::new();
    hooks.set(At::attn_scores(1), &Tensor::zeros([1], DOUBLE)).unwrap();
    let clean = run(&model, &Interventions::new());
    let set = run(&model, &hooks);
    let scores = clean.activations.get(Site::attn_scores(1), 0).unwrap();
    let expected = scores.nan_to_num(0.0, None, 0.0).square().sum(Kind::Double).sqrt();
    let change = set.ledger.entries()[0].change_l2;
    assert!((change - expected.double_value(&[])).abs() <= 1e-12 * change, "{change} {expected}");
}

#[test]
fn a_knock_out_and_a_later_edit_of_the_same_scores_are_both_there() {
    let model = tiny(Precision::F64);
    // Uniform over the keys that are left.
    let mut hooks = Interventions::new();
    hooks.knock_out(1, [0], Positions::last(), Positions::at(2));
    hooks.zero(At::attn_scores(1).heads([0]));
    let pattern = run(&model, &hooks).activations.get(Site::pattern(1), 0).unwrap();
    let expected = Tensor::from_slice(&[0.25, 0.25, 0.0, 0.25, 0.25]);
    assert!(largest_difference(&pattern.get(0).get(4), &expected) <= 1e-15);
}

#[test]
fn captures_before_and_after_edits_of_scores_are_as_documented() {
    let model = tiny(Precision::F64);
    let mut hooks = Interventions::new();
    hooks.zero(At::attn_scores(1));
    let before = Capture::new(Site::attn_scores(1)).before_edits();
    let batch = single(&PROMPT);
    let edited = model.run(&batch).hooks(&hooks).capture([&before]).execute().unwrap();
    let clean = run(&model, &Interventions::new());
    assert_identical(
        &edited.activations.get(&before, 0).unwrap(),
        &clean.activations.get(Site::attn_scores(1), 0).unwrap(),
    );
}

/// A pattern in which the third query gives all of its weight to the last key.
fn acausal() -> Tensor {
    let pattern = Tensor::eye(5, DOUBLE);
    pattern.get(2).copy_(&Tensor::from_slice(&[0.0, 0.0, 0.0, 0.0, 1.0]));
    pattern
}

#[test]
fn an_edit_that_shows_later_keys_is_refused_where_positions_come_one_by_one() {
    let model = tiny(Precision::F64);
    let prompt = single(&PROMPT);
    // Two tokens are made: all positions but that of the last one are computed.
    let mut shown = Tensor::zeros([6, 6], DOUBLE);
    shown.narrow(0, 0, 5).narrow(1, 0, 5).copy_(&acausal());
    let hidden = Tensor::eye(6, DOUBLE);
    let uniform = Tensor::full([1], 0.2, DOUBLE);
    let generate = |change: &dyn Fn(&mut Interventions)| {
        let mut hooks = Interventions::new();
        change(&mut hooks);
        model.generate(&prompt, 2).hooks(&hooks).execute()
    };
    let at = || At::pattern(1).heads([1]);
    for value in [&shown, &uniform] {
        let refused = [
            generate(&|hooks| {
                hooks.set(at(), value).unwrap();
            }),
            generate(&|hooks| {
                hooks.steer(at(), value, 0.5).unwrap();
            }),
            generate(&|hooks| {
                hooks.interpolate(at(), value, 0.5).unwrap();
            }),
        ];
        for error in refused.map(Result::unwrap_err) {
            assert!(matches!(reason(&error), Error::Hook(HookError::MixesPositions)), "{error}");
        }
    }
    let closure = shown.copy();
    let error = generate(&|hooks| {
        let value = closure.copy();
        hooks.edit("shown", at(), move |pattern, part| {
            let (queries, keys) = (part.positions.len() as i64, part.last_axis.len() as i64);
            let value = value.narrow(0, part.positions[0] as i64, queries).narrow(1, 0, keys);
            Ok(value.expand_as(pattern).contiguous())
        });
    });
    let error = chain(&error.unwrap_err());
    assert!(error.contains("`shown`") && error.contains("later keys"), "{error}");
    // Nothing is shown by nothing of it.
    assert!(
        generate(&|hooks| {
            hooks.steer(at(), &shown, 0.0).unwrap();
        })
        .is_ok()
    );
    assert!(
        generate(&|hooks| {
            hooks.interpolate(at(), &shown, 0.0).unwrap();
        })
        .is_ok()
    );
    // What shows no later key goes on as before.
    assert!(
        generate(&|hooks| {
            hooks.set(at(), &hidden).unwrap();
        })
        .is_ok()
    );
    assert!(
        generate(&|hooks| {
            hooks.scale(at(), 0.5).unwrap();
        })
        .is_ok()
    );
    shown = shown.f_tril(0).unwrap();
    assert!(
        generate(&|hooks| {
            hooks.steer(at(), &shown, 0.5).unwrap();
        })
        .is_ok()
    );
}

#[test]
fn keys_that_are_overwritten_in_the_prompt_reach_the_continuation() {
    let model = tiny(Precision::F64);
    let prompt = single(&PROMPT);
    // z is set over the prompt; the continuation still reads the prompt's keys.
    let z = Tensor::zeros([1], DOUBLE);
    let both = |hooks: &mut Interventions| {
        hooks.scale(At::k(1), 3.0).unwrap();
        hooks.set(At::z(1).positions(Positions::range(0..5)), &z).unwrap();
    };
    let mut hooks = Interventions::new();
    both(&mut hooks);
    let generated = model.generate(&prompt, 3).hooks(&hooks).execute().unwrap();
    assert_eq!(generated.tokens[0].len(), 3);
    // In a run that ends with the prompt nothing sees them, and that is refused as before.
    let mut in_prompt = Interventions::new();
    in_prompt.scale(At::k(1), 3.0).unwrap().set(At::z(1), &z).unwrap();
    let error = model.run(&prompt).hooks(&in_prompt).execute().unwrap_err();
    assert!(matches!(reason(&error), Error::Hook(HookError::Overwritten { .. })), "{error}");
    let error = model.generate(&prompt, 3).hooks(&in_prompt).execute().unwrap_err();
    assert!(matches!(reason(&error), Error::Hook(HookError::Overwritten { .. })), "{error}");
}

#[test]
fn logits_of_nan_are_an_error_that_says_where() {
    let model = tiny(Precision::F32);
    let mut hooks = Interventions::new();
    hooks.scale(At::resid_post(0).positions(Positions::at(3)), 3e38).unwrap();
    let error = model.run(&single(&PROMPT)).hooks(&hooks).execute().unwrap_err();
    let error = error.to_string();
    assert!(error.starts_with("the logits are NaN at position"), "{error}");
}

#[test]
fn a_score_of_nan_is_a_change() {
    let model = tiny(Precision::F64);
    let mut hooks = Interventions::new();
    hooks.edit("0/0", At::attn_scores(1).queries(Positions::last()), |scores, _| {
        Ok(scores.f_mul_scalar(f64::NAN)?)
    });
    let batch = single(&PROMPT);
    let run = model.run(&batch).hooks(&hooks).without_logits().capture([Site::z(1)]);
    let ledger = run.execute().unwrap().ledger;
    assert!(ledger.entries()[0].change_l2.is_nan() && ledger.changed());
}
