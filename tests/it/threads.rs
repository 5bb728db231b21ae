//! Several threads use one model, one registry, and one set of variants.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use hooked_gpt2::hook::{At, Edit, Hook, MeanActivations, Moments, Part, Positions, Site};
use hooked_gpt2::intervention::{Interventions, LayerScaling, Noise};
use hooked_gpt2::lens::SteeringVector;
use hooked_gpt2::sweep::{DeltaLoss, Plan, Results, Sweep, Variants};
use hooked_gpt2::tch::Tensor;
use hooked_gpt2::{
    Batch, Checkpoint, Config, Error, Generation, Gpt2, Parameter, Precision, Result, RunOutput,
    Sampling, SharedTensor, Tokenizer,
};

use crate::support::{single, tiny};

const PROMPTS: [&[u32]; 3] = [&[3, 14, 15, 92, 65], &[35, 89], &[79, 32, 38, 46, 26, 43]];

#[test]
fn what_a_run_needs_is_shared_and_what_it_gives_is_sent() {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send>() {}
    shared::<Gpt2>();
    shared::<Checkpoint>();
    shared::<Tokenizer>();
    shared::<Config>();
    shared::<Batch>();
    shared::<Hook>();
    shared::<Interventions>();
    shared::<LayerScaling>();
    shared::<MeanActivations>();
    shared::<Moments>();
    shared::<Variants>();
    shared::<SharedTensor>();
    shared::<Error>();
    sent::<Plan>();
    sent::<RunOutput>();
    sent::<Generation>();
    sent::<Results>();
    sent::<SteeringVector>();
}

/// An edit of one's own that holds a tensor.
#[derive(Debug)]
struct Towards(SharedTensor);

impl Edit for Towards {
    fn apply(&self, selected: &Tensor, _part: &Part<'_>) -> Result<Tensor> {
        Ok(selected.f_add(&self.0)?)
    }
}

fn hooks(model: &Gpt2) -> Interventions {
    let direction = model.parameter(Parameter::b_o(1)).unwrap();
    let mut hooks = Interventions::new();
    hooks.scale(At::resid_post(0), 0.5).unwrap();
    hooks.set(At::z(1).heads([1]), &direction.f_narrow(0, 0, 8).unwrap()).unwrap();
    hooks.add(Hook::new(At::resid_mid(1), Towards(SharedTensor::new(&direction).unwrap())));
    hooks.edit("closure", At::mlp_out(2), move |x, _| Ok(x.f_add(&direction)?));
    hooks.noise(At::mlp_post(0), Noise::gaussian(0.1, 7).unwrap());
    hooks.knock_out(2, [0], Positions::last(), Positions::at(0));
    hooks
}

/// All that a thread can ask of a model that others use, as numbers.
fn everything(model: &Gpt2, batch: &Batch, hooks: &Interventions, variants: &Variants) -> Vec<f64> {
    let mut numbers = Vec::new();
    let mut keep = |tensor: &Tensor| {
        let flat = tensor.f_to_kind(hooked_gpt2::tch::Kind::Double).unwrap().f_flatten(0, -1);
        numbers.extend(Vec::<f64>::try_from(flat.unwrap()).unwrap());
    };
    let sites = || Site::of_block(1);
    let output = model.run(batch).hooks(hooks).capture(sites()).execute().unwrap();
    for sequence in 0..PROMPTS.len() {
        keep(output.logits.tensor(sequence).unwrap());
        for site in sites() {
            keep(&output.activations.get(site, sequence).unwrap());
        }
    }
    let scalar = |logits: &hooked_gpt2::Logits| Ok(logits.tensor(0)?.f_sum(None)?);
    let slope = model.run(batch).hooks(hooks).capture([Site::resid_pre(1)]).differentiate(scalar);
    keep(&slope.unwrap().1.get(Site::resid_pre(1), 0).unwrap());
    for parameter in Parameter::all(model.config().n_layers) {
        keep(&model.parameter(parameter).unwrap());
    }
    let sampled = model.generate(batch, 4).sampling(Sampling::seeded(1.0, 5).unwrap());
    for tokens in sampled.execute().unwrap().tokens {
        numbers.extend(tokens.into_iter().map(f64::from));
    }
    let plan: Plan = Sweep::new(model, batch).plan(variants).unwrap();
    let results = plan.measure(&[&DeltaLoss::of(3)]).unwrap();
    numbers.extend(results.values("delta_loss").unwrap().iter());
    numbers
}

#[test]
fn threads_that_share_a_model_get_what_each_gets_alone_to_the_last_bit() {
    for precision in [Precision::F64, Precision::F32, Precision::Bf16] {
        let model = tiny(precision);
        let batch = Batch::new(PROMPTS).unwrap();
        // Gradients go through no closure twice at a time, noise through every thread at once.
        let hooks = hooks(&model);
        let variants =
            Variants::layer_factors(0..model.config().n_layers, &[0.5, 1.5], &batch).unwrap();
        let alone = everything(&model, &batch, &hooks, &variants);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..6 {
                        assert!(everything(&model, &batch, &hooks, &variants) == alone);
                    }
                });
            }
        });
    }
}

#[test]
fn threads_call_a_closure_one_after_the_other_and_survive_its_panic() {
    let model = tiny(Precision::F64);
    let (inside, calls) = (AtomicUsize::new(0), AtomicUsize::new(0));
    // A closure that counts has to outlive the test.
    let (inside, calls): (&'static AtomicUsize, &'static AtomicUsize) =
        (Box::leak(Box::new(inside)), Box::leak(Box::new(calls)));
    let mut hooks = Interventions::new();
    hooks.edit("counts", At::resid_post(0), move |x, _| {
        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
        thread::yield_now();
        let call = calls.fetch_add(1, Ordering::SeqCst);
        inside.fetch_sub(1, Ordering::SeqCst);
        assert_ne!(call, 3, "a mistake of the user's");
        Ok(x.f_detach_copy()?)
    });
    let batch = single(&[3, 14, 15]);
    let run = || {
        for _ in 0..5 {
            model.run(&batch).hooks(&hooks).execute().unwrap();
        }
    };
    let panics = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|thread| thread.join()).filter(|joined| joined.is_err()).count()
    });
    assert_eq!(panics, 1);
    run();
}
