//! Projections and bounds: what follows from them, and what is refused.

use hooked_gpt2::error::InterventionError;
use hooked_gpt2::hook::{At, Hook, Positions, Site};
use hooked_gpt2::intervention::{Clamp, Interventions, KeepOnly, ProjectOut};
use hooked_gpt2::tch::{Device, Kind, Tensor};
use hooked_gpt2::{Error, Gpt2, Precision, RunOutput};

use crate::support::{assert_identical, chain, largest, largest_difference, reason, single, tiny};
use crate::tolerance;

const PROMPT: [u32; 5] = [3, 14, 15, 92, 65];
const DOUBLE: (Kind, Device) = (Kind::Double, Device::Cpu);

fn run(model: &Gpt2, site: Site, hooks: &Interventions) -> RunOutput {
    model.run(&single(&PROMPT)).hooks(hooks).capture([site]).execute().unwrap()
}

fn directions() -> Tensor {
    let first = Tensor::linspace(-1.0, 2.0, 24, DOUBLE);
    Tensor::stack(&[&first, &first.square(), &(&first.sin() * 1e-6)], 0)
}

#[test]
fn what_is_projected_out_and_what_is_kept_make_up_the_whole() {
    let (model, site) = (tiny(Precision::F64), Site::resid_mid(1));
    let (mut out, mut only) = (Interventions::new(), Interventions::new());
    out.project_out(At::resid_mid(1), &directions()).unwrap();
    only.keep_only(At::resid_mid(1), &directions()).unwrap();
    let [clean, out, only] = [&Interventions::new(), &out, &only]
        .map(|hooks| run(&model, site, hooks).activations.get(site, 0).unwrap());
    assert!(largest_difference(&(&out + &only), &clean) <= 1e-9);
    assert!(largest(&out.matmul(&directions().tr())) <= 1e-8, "{}", out.matmul(&directions().tr()));
    assert!(largest(&only) > 1.0 && largest(&out) > 1.0);
}

#[test]
fn projections_do_not_depend_on_the_length_and_order_of_directions_and_repeat_without_effect() {
    let (model, site) = (tiny(Precision::F64), Site::mlp_out(1));
    let projected = |directions: &Tensor, times: usize| {
        let mut hooks = Interventions::new();
        for _ in 0..times {
            hooks.project_out(At::mlp_out(1), directions).unwrap();
        }
        run(&model, site, &hooks).activations.get(site, 0).unwrap()
    };
    let once = projected(&directions(), 1);
    assert!(largest_difference(&projected(&directions(), 2), &once) <= tolerance::F64);
    assert!(largest_difference(&projected(&directions().flip([0]), 1), &once) <= tolerance::F64);
    assert!(largest_difference(&projected(&(directions() * -1e200), 1), &once) <= tolerance::F64);
}

#[test]
fn directions_of_any_kind_fit_a_run_of_any_kind() {
    for precision in [Precision::F32, Precision::F64, Precision::Bf16] {
        let model = tiny(precision);
        for kind in [Kind::Double, Kind::Float, Kind::Half, Kind::BFloat16] {
            let mut hooks = Interventions::new();
            let direction = Tensor::linspace(-1.0, 2.0, 8, DOUBLE).to_kind(kind);
            hooks.project_out(At::z(1).heads([1]), &direction).unwrap();
            let z = run(&model, Site::z(1), &hooks).activations.get(Site::z(1), 0).unwrap();
            let along = z.to_kind(Kind::Double).matmul(&direction.to_kind(Kind::Double));
            assert!(largest(&along.select(1, 1)) < 1e-5, "{precision} {kind:?}");
            assert!(largest(&along.select(1, 0)) > 1e-3, "{precision} {kind:?}");
        }
    }
}

#[test]
fn directions_that_span_nothing_more_are_refused_by_row() {
    let error = |tensor: &Tensor| match ProjectOut::new(tensor) {
        Err(error) => error.to_string(),
        Ok(edit) => format!("{edit:?}"),
    };
    let [first, second] = [0, 1].map(|row| directions().get(row));
    let stack = |rows: &[&Tensor]| Tensor::stack(rows, 0);
    let zero = Tensor::zeros([24], DOUBLE);
    assert_eq!(error(&zero), "direction 0 is zero");
    assert_eq!(error(&stack(&[&first, &zero])), "direction 1 is zero");
    assert_eq!(error(&stack(&[&first, &(&first / 0.0)])), "direction 1 is not finite");
    let third = &first * 0.3 - &second;
    let dependent = "direction 2 is a combination of those before it, up to roundings; \
                     allowed: linearly independent ones";
    for kind in [Kind::Double, Kind::Float, Kind::Half, Kind::BFloat16] {
        // Rounded, they are not exactly dependent.
        assert_eq!(error(&stack(&[&first, &second, &third]).to_kind(kind)), dependent);
    }
    let new = &third + Tensor::linspace(0.0, 1e-9, 24, DOUBLE).square() * 1e6;
    assert!(error(&stack(&[&first, &second, &new])).starts_with("ProjectOut { directions: "));
    assert_eq!(error(&stack(&[&first, &first])), dependent.replace('2', "1"));
    let too_many = Tensor::eye(3, DOUBLE);
    let too_many = Tensor::cat(&[&too_many, &Tensor::ones([1, 3], DOUBLE)], 0);
    assert_eq!(error(&too_many), dependent.replace('2', "3"));
    let needed =
        "directions are needed, [width] or [directions, width] of floating-point numbers, given: ";
    for (odd, form) in [
        (Tensor::zeros([1, 1, 24], DOUBLE), "[1, 1, 24] Double on Cpu"),
        (Tensor::zeros([0, 24], DOUBLE), "[0, 24] Double on Cpu"),
        (Tensor::zeros([0], DOUBLE), "[0] Double on Cpu"),
        (Tensor::from(1.0), "[] Double on Cpu"),
        (Tensor::ones([24], (Kind::Int64, Device::Cpu)), "[24] Int64 on Cpu"),
        (Tensor::ones([24], (Kind::ComplexDouble, Device::Cpu)), "[24] ComplexDouble on Cpu"),
    ] {
        assert_eq!(error(&odd), format!("{needed}{form}"));
    }
    assert_eq!(
        error(&Tensor::new()),
        "the tensor is undefined, a dense one of a known kind is needed"
    );
    let mut hooks = Interventions::new();
    assert_eq!(
        hooks.keep_only(At::z(0), &Tensor::new()).map(drop).unwrap_err().to_string(),
        "hook `KeepOnly` cannot stand at blocks.0.attn.hook_z: the tensor is undefined, \
         a dense one of a known kind is needed"
    );
}

#[test]
fn a_projection_that_does_not_fit_is_refused_before_the_run() {
    let model = tiny(Precision::F64);
    let refused = |hook: Hook| {
        let mut hooks = Interventions::new();
        // This one would fail the run, if anything were run.
        hooks.edit("fails", At::embed(), |_, _| Err(Error::other("it was run")));
        hooks.add(hook);
        chain(&model.run(&single(&PROMPT)).hooks(&hooks).execute().unwrap_err())
    };
    let out = |width| ProjectOut::new(&Tensor::ones([width], DOUBLE)).unwrap();
    assert_eq!(
        refused(Hook::new(At::z(1), out(24))),
        "hook `ProjectOut { directions: Tensor[[24], Double] }` cannot stand at blocks.1.attn.hook_z: \
         its directions have 24 numbers, a vector of what is selected has 8"
    );
    let narrowed = At::resid_post(1).channels(0..4);
    let only = KeepOnly::new(&Tensor::ones([24], DOUBLE)).unwrap();
    assert!(refused(Hook::new(narrowed.clone(), only)).ends_with("what is selected has 4"));
    let allowed = "it has no meaning at that site, allowed: all but attn_scores, pattern and the scales of \
                   layer norms";
    assert!(refused(Hook::new(At::pattern(1), out(5))).ends_with(allowed));
    assert!(refused(Hook::new(At::attn_scores(1), out(5))).ends_with(allowed));
    assert!(refused(Hook::new(At::ln2_scale(1), out(1))).ends_with(allowed));
    // A part of the channels is a space, too.
    let mut hooks = Interventions::new();
    hooks.project_out(narrowed, &Tensor::ones([4], DOUBLE)).unwrap();
    let site = Site::resid_post(1);
    let kept = run(&model, site, &hooks).activations.get(site, 0).unwrap();
    assert!(
        largest(&kept.narrow(1, 0, 4).sum_dim_intlist(1, false, Kind::Double)) <= tolerance::F64
    );
}

#[test]
fn a_continuation_is_without_the_direction_at_each_position() {
    let model = tiny(Precision::F64);
    let mut hooks = Interventions::new();
    hooks.project_out(At::resid_post(0), &directions()).unwrap();
    let prompt = single(&PROMPT);
    let continued = model.generate(&prompt, 4).hooks(&hooks).execute().unwrap().tokens;
    let mut tokens = PROMPT.to_vec();
    for &next in &continued[0] {
        let logits = model.run(&single(&tokens)).hooks(&hooks).execute().unwrap().logits;
        let logits = logits.last(0).unwrap();
        let likeliest = (0..101).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
        assert_eq!(next as usize, likeliest);
        tokens.push(next);
    }
}

#[test]
fn bounds_that_are_none_are_refused() {
    assert_eq!(
        Clamp::between(1.0, 1.0).unwrap_err().to_string(),
        "the lower bound is 1, allowed: below the upper one, 1"
    );
    assert!(Clamp::between(2.0, -2.0).is_err());
    for (clamp, expected) in [
        (Clamp::at_least(f64::NAN), "the lower bound is NaN, a finite number is needed"),
        (Clamp::at_most(f64::INFINITY), "the upper bound is inf, a finite number is needed"),
    ] {
        assert_eq!(clamp.unwrap_err().to_string(), expected);
    }
    let model = tiny(Precision::F32);
    let mut hooks = Interventions::new();
    hooks.clamp(At::resid_post(1), Clamp::at_most(1e300).unwrap());
    let error = model.run(&single(&PROMPT)).hooks(&hooks).execute().unwrap_err();
    assert!(matches!(
        reason(&error),
        Error::Intervention(InterventionError::OutOfRange { what: "the upper bound", .. })
    ));
}

#[test]
fn bounds_of_the_pattern_leave_the_mask_as_it_is() {
    let (model, site) = (tiny(Precision::F64), Site::pattern(1));
    let mut hooks = Interventions::new();
    hooks.clamp(At::pattern(1).keys(Positions::range(1..5)), Clamp::at_least(0.25).unwrap());
    let clean = run(&model, site, &Interventions::new()).activations.get(site, 0).unwrap();
    let bounded = run(&model, site, &hooks).activations.get(site, 0).unwrap();
    for (head, query, key) in (0..75).map(|place| (place / 25, place / 5 % 5, place % 5)) {
        let of = |tensor: &Tensor| tensor.double_value(&[head, query, key]);
        let is_bounded = (1..=query).contains(&key);
        let expected = if is_bounded { of(&clean).max(0.25) } else { of(&clean) };
        assert_eq!(of(&bounded), expected, "{head} {query} {key}");
    }
    // So it can be continued.
    assert!(model.generate(&single(&PROMPT), 2).hooks(&hooks).execute().is_ok());
    // Wide bounds change nothing, and say so.
    let mut wide = Interventions::new();
    wide.clamp(At::pattern(1), Clamp::between(-1.0, 2.0).unwrap());
    let output = run(&model, site, &wide);
    assert_eq!(output.ledger.entries()[0].change_l2, 0.0);
    assert_identical(&output.activations.get(site, 0).unwrap(), &clean);
}
