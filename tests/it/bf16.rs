//! Products in bfloat16, and everything else in 32 bits.

use hooked_gpt2::hook::{At, Site};
use hooked_gpt2::intervention::{Interventions, LayerScaling};
use hooked_gpt2::sweep::{KlDivergence, Loss, Metric, Sweep, Variants};
use hooked_gpt2::tch::Kind;
use hooked_gpt2::{Batch, Precision};

use crate::support::{Reference, fixtures, largest_difference, single, tiny};
use crate::tolerance;

fn references() -> (Reference, Reference) {
    let tiny = fixtures().join("tiny");
    (Reference::of(&tiny), Reference::read(&tiny.join("bf16.safetensors")))
}

#[test]
fn logits_are_those_of_hugging_face_with_rounded_products() {
    let (plain, rounded) = references();
    let model = tiny(Precision::Bf16);
    for prompt in ["prompt.0", "prompt.1"] {
        let output = model.run(&single(&plain.tokens(prompt))).execute().unwrap();
        let logits = output.logits.tensor(0).unwrap();
        let expected = rounded.tensor(&format!("{prompt}.logits"));
        let difference = largest_difference(logits, expected);
        assert!(difference <= tolerance::BF16, "{prompt}: {difference:e}");
        // Farther from what is not rounded, so that the rounding is seen to happen.
        let unrounded = plain.tensor(&format!("f64.{prompt}.logits"));
        assert!(largest_difference(logits, unrounded) > 3.0 * tolerance::BF16);
    }

    let mut scaling = LayerScaling::new();
    scaling.insert(0, 0.6).unwrap();
    scaling.insert(2, 1.7).unwrap();
    let batch = single(&plain.tokens("prompt.0"));
    let output = model.run(&batch).hooks(&scaling).execute().unwrap();
    let logits = output.logits.tensor(0).unwrap().index_select(0, &[2_i64, 6].as_slice().into());
    let difference = largest_difference(&logits, rounded.tensor("scaled.several"));
    assert!(difference <= tolerance::BF16, "{difference:e}");
}

#[test]
fn hooks_and_captures_see_32_bits_and_edits_off_the_fused_paths_round_alike() {
    let model = tiny(Precision::Bf16);
    let batch = single(&references().0.tokens("prompt.0"));
    let sites: Vec<Site> = Site::all(3).collect();
    let clean = model.run(&batch).capture(&sites).execute().unwrap();
    for site in sites {
        assert_eq!(clean.activations.get(site, 0).unwrap().kind(), Kind::Float, "{site}");
        let mut hooks = Interventions::new();
        hooks.scale(At::site(site), 1.0).unwrap();
        let edited = model.run(&batch).hooks(&hooks).execute().unwrap();
        let (edited, clean) = (edited.logits.tensor(0).unwrap(), clean.logits.tensor(0).unwrap());
        let difference = largest_difference(edited, clean);
        assert!(difference <= tolerance::BF16, "{site}: {difference:e}");
    }
}

#[test]
fn a_sweep_gives_what_its_own_runs_give() {
    let model = tiny(Precision::Bf16);
    let batch = Batch::new([vec![3, 14, 15, 92, 65], vec![35, 89, 79]]).unwrap();
    let variants =
        Variants::layer_factors(0..model.config().n_layers, &[0.6, 1.5], &batch).unwrap();
    let plan = Sweep::new(&model, &batch).plan(&variants).unwrap();
    let metrics: [&dyn Metric; 2] = [&Loss::of(7), &KlDivergence];
    let (shared, isolated) =
        (plan.measure(&metrics).unwrap(), plan.measure_isolated(&metrics).unwrap());
    for name in ["loss", "kl_divergence"] {
        let (shared, isolated) = (shared.values(name).unwrap(), isolated.values(name).unwrap());
        for (shared, isolated) in shared.iter().zip(&isolated) {
            approx::assert_abs_diff_eq!(shared, isolated, epsilon = tolerance::BF16);
        }
    }
}

#[test]
fn gradients_are_near_those_in_64_bits() {
    let site = Site::resid_post(0);
    let gradient = |precision| {
        let model = tiny(precision);
        let batch = single(&[3, 14, 15, 92, 65]);
        let run = model.run(&batch).capture([site]);
        let (_, gradients) =
            run.differentiate(|logits| Ok(logits.tensor(0)?.f_get(-1)?.f_get(7)?)).unwrap();
        gradients.get(site, 0).unwrap().to_kind(Kind::Double)
    };
    let (rounded, exact) = (gradient(Precision::Bf16), gradient(Precision::F64));
    let relative = (&rounded - &exact).norm().double_value(&[]) / exact.norm().double_value(&[]);
    assert!(0.0 < relative && relative < 0.03, "{relative}");
}
