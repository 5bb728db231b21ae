//! Equality with Hugging Face `transformers`, on models all of whose parameters are random.

use hooked_gpt2::hook::{Positions, Site};
use hooked_gpt2::intervention::{Interventions, LayerScaling};
use hooked_gpt2::tch::Tensor;
use hooked_gpt2::{Gpt2, Precision};

use crate::support::{
    Reference, fixtures, largest, largest_difference, load, residual_sites, single, tiny,
    with_config,
};
use crate::tolerance;

const PRECISIONS: [Precision; 2] = [Precision::F32, Precision::F64];

/// The positions whose logits the fixture keeps of edited runs.
const REPORTED: [usize; 2] = [2, 6];

#[track_caller]
fn assert_logits(precision: Precision, ours: &Tensor, reference: &Tensor, what: &str) {
    let allowed = tolerance::of_logits(precision);
    let difference = largest_difference(ours, reference);
    assert!(difference <= allowed, "{what} in {precision}: {difference:e}");
}

fn reported_logits(
    model: &Gpt2,
    prompt: &[u32],
    hooks: &dyn hooked_gpt2::hook::HookRegistry,
) -> Tensor {
    let batch = single(prompt);
    let run = model.run(&batch).hooks(hooks).unembed(Positions::several(REPORTED));
    run.execute().unwrap().logits.tensor(0).unwrap().shallow_clone()
}

#[test]
fn logits_and_sites_equal_hugging_face() {
    let reference = Reference::of(&fixtures().join("tiny"));
    for precision in PRECISIONS {
        let model = tiny(precision);
        let sites: Vec<Site> = (0..model.config().n_layers)
            .flat_map(residual_sites)
            .map(|at| at.to_string().parse().unwrap())
            .collect();
        for prompt in ["prompt.0", "prompt.1"] {
            let batch = single(&reference.tokens(prompt));
            let output = model.run(&batch).capture(sites.iter().copied()).execute().unwrap();
            let name = format!("{precision}.{prompt}.logits");
            let logits = output.logits.tensor(0).unwrap();
            assert_logits(precision, logits, reference.tensor(&name), &name);
            for &site in &sites {
                let name = format!("{precision}.{prompt}.{site}");
                let expected = reference.tensor(&name);
                let allowed = tolerance::of_activations(precision, largest(expected));
                let ours = output.activations.get(site, 0).unwrap();
                let difference = largest_difference(&ours, expected);
                assert!(difference <= allowed, "{name}: {difference:e}");
            }
        }
    }
}

#[test]
fn scaling_any_site_equals_hugging_face_with_hooks() {
    let reference = Reference::of(&fixtures().join("tiny"));
    let prompt = reference.tokens("prompt.0");
    for precision in PRECISIONS {
        let model = tiny(precision);
        for at in (0..model.config().n_layers).flat_map(residual_sites) {
            for (name, positions, factor) in
                [("all", Positions::all(), 0.6), ("some", Positions::several([5, 2]), -1.5)]
            {
                let mut hooks = Interventions::new();
                hooks.scale(at.clone().positions(positions), factor).unwrap();
                let ours = reported_logits(&model, &prompt, &hooks);
                let name = format!("{precision}.scaled.{name}.{at}");
                assert_logits(precision, &ours, reference.tensor(&name), &name);
            }
        }
    }
}

#[test]
fn scaling_several_layers_at_once_equals_hugging_face_with_hooks() {
    let reference = Reference::of(&fixtures().join("tiny"));
    let prompt = reference.tokens("prompt.0");
    for precision in PRECISIONS {
        let mut scaling = LayerScaling::new();
        scaling.insert(0, 0.6).unwrap();
        scaling.insert(2, 1.7).unwrap();
        let ours = reported_logits(&tiny(precision), &prompt, &scaling);
        let name = format!("{precision}.scaled.several");
        assert_logits(precision, &ours, reference.tensor(&name), &name);
    }
}

#[test]
fn every_configuration_and_storage_format_equals_hugging_face() {
    let mut variants = 0;
    for entry in std::fs::read_dir(fixtures().join("variants")).unwrap() {
        let path = entry.unwrap().path();
        let reference = Reference::of(&path);
        let batch = single(&reference.tokens("prompt"));
        for precision in PRECISIONS {
            let output = load(&path, precision).run(&batch).execute().unwrap();
            let expected = reference.tensor(&format!("{precision}.logits"));
            let what = path.display().to_string();
            assert_logits(precision, output.logits.tensor(0).unwrap(), expected, &what);
        }
        variants += 1;
    }
    assert_eq!(variants, 20);
}

#[test]
fn activation_functions_of_several_names_are_one_function() {
    for (variant, names) in [
        ("gelu", &["gelu_python"][..]),
        ("gelu_pytorch_tanh", &["gelu_new", "gelu_python_tanh", "gelu_accurate"]),
        ("silu", &["swish"]),
    ] {
        let variant = fixtures().join("variants").join(variant);
        let reference = Reference::of(&variant);
        let batch = single(&reference.tokens("prompt"));
        for name in names {
            let renamed = with_config(&variant, |config| {
                config.insert("activation_function".to_owned(), (*name).into());
            });
            let output = load(renamed.path(), Precision::F64).run(&batch).execute().unwrap();
            let expected = reference.tensor("f64.logits");
            assert_logits(Precision::F64, output.logits.tensor(0).unwrap(), expected, name);
        }
    }
}
