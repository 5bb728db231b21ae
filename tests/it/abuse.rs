//! Calls that make no sense: each has an error that says why in one short line, or a result that is documented; none
//! panics.

use std::panic::{AssertUnwindSafe, catch_unwind};

use hooked_gpt2::analysis::{correlation, divergence, entropy, loss, rank, spread};
use hooked_gpt2::hook::{
    At, Capture, Hook, HookRegistry, MeanActivations, Moments, NoHooks, Positions, Site,
};
use hooked_gpt2::intervention::{Add, Interpolate, Interventions, Noise, Scale, Set, Shuffle};
use hooked_gpt2::report::{Align, Table};
use hooked_gpt2::sweep::{
    Axis, DeltaLoss, LogitDifference, Loss, Measure, Metric, NextTokenLoss, Rank, Replacement,
    Sweep, Variants,
};
use hooked_gpt2::tch::{Device, Kind, Tensor};
use hooked_gpt2::{
    Batch, Error, Generation, Gpt2, Parameter, Precision, Result, Run, Sampling, device,
};
use ndarray::{Array1, array};

use crate::support::{chain, tiny};

const HUGE: usize = usize::MAX;

/// A call: what it is, what it is answered with, itself. `ok` stands for a result, MAX for the largest number.
type Call<'a> = (&'static str, &'static str, Box<dyn Fn() -> Result<()> + 'a>);

/// Makes calls of lines `what => answer: expression`.
macro_rules! calls {
    ($($what:literal => $answer:literal: $call:expr;)*) => {
        vec![$(($what, $answer, Box::new(|| -> Result<()> { $call.map(drop) }) as Box<_>)),*]
    };
}

/// What most calls are made on.
struct World {
    model: Gpt2,
    batch: Batch,
    two: Batch,
    long: Batch,
    foreign: Batch,
}

impl World {
    fn new() -> Self {
        Self {
            model: tiny(Precision::F32),
            batch: Batch::single([3, 14, 15]).unwrap(),
            two: Batch::new([vec![3, 14, 15], vec![9, 2]]).unwrap(),
            long: Batch::single(vec![1; 33]).unwrap(),
            foreign: Batch::single([3, 101, u32::MAX]).unwrap(),
        }
    }

    fn run(&self) -> Run<'_> {
        self.model.run(&self.batch)
    }

    /// A run with one hook.
    fn hooked(&self, hook: Hook) -> Result<()> {
        let mut hooks = Interventions::new();
        hooks.add(hook);
        self.run().hooks(&hooks).execute().map(drop)
    }

    fn zero<Class>(&self, at: At<Class>) -> Result<()> {
        self.hooked(Hook::new(at, Scale::ZERO))
    }

    fn set(&self, value: &Tensor) -> Result<()> {
        self.hooked(Hook::new(At::resid_post(1), Set::new(value)?))
    }

    /// A run with a closure.
    fn edit(&self, edit: impl Fn(&Tensor) -> Result<Tensor> + Send + 'static) -> Result<()> {
        let mut hooks = Interventions::new();
        hooks.edit("mine", At::resid_post(1), move |given, _| edit(given));
        self.run().hooks(&hooks).execute().map(drop)
    }

    fn generate(&self, new: usize) -> Generation<'_> {
        self.model.generate(&self.batch, new)
    }

    fn variants(&self) -> Variants {
        Variants::layer_factors(0..self.model.config().n_layers, &[0.5], &self.batch).unwrap()
    }

    fn measure(&self, metric: &dyn Metric) -> Result<f64> {
        let variants = self.variants();
        let results = Sweep::new(&self.model, &self.batch).plan(&variants)?.measure(&[metric])?;
        let value = results.values(metric.name())?[[0, 0, 0, 0]];
        match results.failures().next() {
            Some(failure) => panic!("{failure:?}"),
            None => Ok(value),
        }
    }

    fn neurons(&self, neurons: &[usize], with: Replacement<'_>) -> Result<()> {
        let variants = Variants::ablated_neurons(1, neurons, with, &self.batch)?;
        self.sweep(&variants)
    }

    fn mean_of(&self, site: Site) -> Result<MeanActivations> {
        self.run().mean_over_tokens([site])
    }

    fn sweep(&self, variants: &Variants) -> Result<()> {
        let plan = Sweep::new(&self.model, &self.batch).plan(variants)?;
        plan.measure(&[&Loss::of(1)]).map(drop)
    }

    fn differentiate(&self, scalar: impl Fn(&Tensor) -> Tensor) -> Result<()> {
        let run = self.run().capture([Site::resid_post(0)]);
        run.differentiate(|logits| Ok(scalar(logits.tensor(0)?))).map(drop)
    }
}

fn ones(size: &[i64]) -> Tensor {
    Tensor::ones(size, (Kind::Float, Device::Cpu))
}

fn of_kind(kind: Kind) -> Tensor {
    Tensor::ones([24], (kind, Device::Cpu))
}

/// Undefined, sparse, and laid out as oneDNN wants it.
fn odd() -> [Tensor; 3] {
    let sparse = ones(&[3, 24]).to_sparse(None, None::<i64>, None);
    [Tensor::new(), sparse, ones(&[3, 24]).f_to_mkldnn(Kind::Float).unwrap()]
}

fn sparse_rows() -> Tensor {
    ones(&[3, 24]).to_sparse_csr(None)
}

/// A registry that says otherwise than it does.
struct Liar(Interventions);

impl HookRegistry for Liar {
    fn hooks(&self, layer: usize) -> &[Hook] {
        self.0.hooks(layer % 3)
    }

    fn layers(&self) -> Vec<usize> {
        vec![HUGE]
    }
}

#[test]
fn every_absurd_call_is_answered() {
    let world = World::new();
    let w = &world;
    let (none, infinite) = (Array1::<f64>::zeros(0), array![f64::INFINITY, 1.0]);
    let banned = Array1::from_elem(2, f64::NEG_INFINITY);
    let one = array![1.0];
    let calls: Vec<Call<'_>> = calls! {
        // Batches.
        "no sequence" => "the batch is empty, at least one sequence is needed": Batch::new(Vec::<Vec<u32>>::new());
        "an empty sequence" => "sequence 1 of the batch is empty, at least one token is needed": Batch::new([vec![1], vec![]]);
        "no token" => "sequence 0 of the batch is empty, at least one token is needed": Batch::single([]);
        "no example number" => "0 example numbers for 1 sequences, one for each is needed": Batch::single([1])?.with_examples([]);
        "too many example numbers" => "2 example numbers for 1 sequences, one for each is needed": Batch::single([1])?.with_examples([1, u64::MAX]);
        "a token too many" => "sequence 0 has 33 tokens, the model's context holds 32": w.model.run(&w.long).execute();
        "tokens of another vocabulary" => "token 101 is not in the vocabulary, allowed: 0 to 100": w.model.run(&w.foreign).execute();
        // Selections.
        "layer usize::MAX" => "hook `Scale { factor: 0.0 }` cannot stand at blocks.MAX.hook_resid_post: layer MAX is not in the model, allowed: 0 to 2": w.zero(At::resid_post(HUGE));
        "head usize::MAX" => "hook `Scale { factor: 0.0 }` cannot stand at blocks.1.attn.hook_z, heads [MAX]: head MAX is out of range, allowed: 0 to 2": w.zero(At::z(1).heads([HUGE]));
        "no head" => "hook `Scale { factor: 0.0 }` cannot stand at blocks.1.attn.hook_z, heads []: no head is selected, at least one is needed": w.zero(At::z(1).heads([]));
        "many heads" => "hook `Scale { factor: 0.0 }` cannot stand at blocks.1.attn.hook_z, heads [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, … 9988 more]: head 9999 is out of range, allowed: 0 to 2": w.zero(At::z(1).heads(0..10_000));
        "channel usize::MAX" => "hook `Scale { factor: 0.0 }` cannot stand at blocks.1.hook_resid_post, channels [0, MAX]: channel MAX is out of range, allowed: 0 to 23": w.zero(At::resid_post(1).channels([0, HUGE]));
        "no channel" => "hook `Scale { factor: 0.0 }` cannot stand at blocks.1.hook_resid_post, channels []: no channel is selected, at least one is needed": w.zero(At::resid_post(1).channels([]));
        "neuron usize::MAX" => "hook `Scale { factor: 0.0 }` cannot stand at blocks.1.mlp.hook_post, neurons [MAX]: neuron MAX is out of range, allowed: 0 to 95": w.zero(At::mlp_post(1).neurons([HUGE]));
        "token usize::MAX" => "hook `Scale { factor: 0.0 }` cannot stand at hook_unembed, tokens [MAX]: token MAX is out of range, allowed: 0 to 100": w.zero(At::unembed().tokens([HUGE]));
        "no token selected" => "hook `Scale { factor: 0.0 }` cannot stand at hook_unembed, tokens []: no token is selected, at least one is needed": w.zero(At::unembed().tokens([]));
        "sequence usize::MAX" => "hook `Scale { factor: 0.0 }` cannot stand at blocks.1.hook_resid_post, sequences [MAX]: sequence MAX is out of range, allowed: 0 to 0": w.zero(At::resid_post(1).sequences([HUGE]));
        "no sequence selected" => "hook `Scale { factor: 0.0 }` cannot stand at blocks.1.hook_resid_post, sequences []: no sequence is selected, at least one is needed": w.zero(At::resid_post(1).sequences([]));
        "position usize::MAX" => "hook `Scale { factor: 0.0 }` cannot stand at blocks.1.hook_resid_post, positions MAX: positions MAX do not fit sequence 0, which has 3 tokens": w.zero(At::resid_post(1).positions(Positions::at(HUGE)));
        "position i64::MAX" => "hook `Scale { factor: 0.0 }` cannot stand at blocks.1.hook_resid_post, positions 9223372036854775807: positions 9223372036854775807 do not fit sequence 0, which has 3 tokens": w.zero(At::resid_post(1).positions(Positions::at(i64::MAX as usize)));
        "no position" => "hook `Scale { factor: 0.0 }` cannot stand at blocks.1.hook_resid_post, positions []: no position is selected, at least one is needed": w.zero(At::resid_post(1).positions(Positions::several([])));
        "many positions" => "hook `Scale { factor: 0.0 }` cannot stand at blocks.1.hook_resid_post, positions [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, … 9988 more]: positions [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, … 9988 more] do not fit sequence 0, which has 3 tokens": w.zero(At::resid_post(1).positions(Positions::several(0..10_000)));
        "positions that run backwards" => "hook `Scale { factor: 0.0 }` cannot stand at blocks.1.hook_resid_post, positions 2..1: no position is selected, at least one is needed":
            w.zero(At::resid_post(1).positions(Positions::range(std::ops::Range { start: 2, end: 1 })));
        "a range of all numbers" => "hook `Scale { factor: 0.0 }` cannot stand at blocks.1.hook_resid_post, positions 0..MAX: positions 0..MAX do not fit sequence 0, which has 3 tokens": w.zero(At::resid_post(1).positions(Positions::range(0..HUGE)));
        "positions from usize::MAX on" => "hook `Scale { factor: 0.0 }` cannot stand at blocks.1.hook_resid_post, positions MAX..: positions MAX.. do not fit sequence 0, which has 3 tokens":
            w.zero(At::resid_post(1).positions(Positions::starting_at(HUGE)));
        "position 0 from the end" => "hook `Scale { factor: 0.0 }` cannot stand at blocks.1.hook_resid_post, positions 0 from the end: positions 0 from the end do not fit sequence 0, which has 3 tokens": w.zero(At::resid_post(1).positions(Positions::from_end(0)));
        "position usize::MAX from the end" => "hook `Scale { factor: 0.0 }` cannot stand at blocks.1.hook_resid_post, positions MAX from the end: positions MAX from the end do not fit sequence 0, which has 3 tokens":
            w.zero(At::resid_post(1).positions(Positions::from_end(HUGE)));
        "indices of no tokens" => "ok": Positions::all().indices(0, 0);
        "the last of no tokens" => "positions last do not fit sequence MAX, which has 0 tokens": Positions::last().indices(0, HUGE);
        "keys that are not there" => "hook `Scale { factor: 0.0 }` cannot stand at blocks.1.attn.hook_pattern, keys 3: positions 3 do not fit sequence 0, which has 3 tokens": w.zero(At::pattern(1).keys(Positions::at(3)));
        "heads of a residual stream" => "hook `Scale { factor: 0.0 }` cannot stand at blocks.1.hook_resid_post, heads [0]: `heads` cannot be selected at blocks.1.hook_resid_post, allowed: sequences, positions, channels": w.zero(At::site(Site::resid_post(1)).heads([0]));
        "keys of a residual stream" => "hook `Scale { factor: 0.0 }` cannot stand at blocks.1.hook_resid_post, keys last: `keys` cannot be selected at blocks.1.hook_resid_post, allowed: sequences, positions, channels": w.zero(At::site(Site::resid_post(1)).keys(Positions::last()));
        "a skipped layer usize::MAX" => "layer MAX is not in the model, allowed: 0 to 2": {
            let mut hooks = Interventions::new();
            hooks.skip(HUGE);
            w.run().hooks(&hooks).execute()
        };
        "a knock-out of layer usize::MAX" => "hook `KnockOut` cannot stand at blocks.MAX.attn.hook_attn_scores, heads [MAX]: layer MAX is not in the model, allowed: 0 to 2": {
            let mut hooks = Interventions::new();
            hooks.knock_out(HUGE, [HUGE], Positions::all(), Positions::all());
            w.run().hooks(&hooks).execute()
        };
        "a knock-out of every key" => "sequence 0: blocks.1.attn.hook_attn_scores: head 0 has no key left at query position 0": {
            let mut hooks = Interventions::new();
            hooks.knock_out(1, 0..3, Positions::all(), Positions::all());
            w.run().hooks(&hooks).execute()
        };
        "a registry that names a layer of none" => "layer MAX is not in the model, allowed: 0 to 2":
            w.run().hooks(&Liar(Interventions::new())).execute();
        "registries for no sequence" => "0 registries for 1 sequences, one for each is needed": w.run().hooks_for_each(&[]).execute();
        "registries for too many" => "2 registries for 1 sequences, one for each is needed": w.run().hooks_for_each(&[&NoHooks, &NoHooks]).execute();
        // Numbers of edits.
        "a factor of NaN" => "the scaling factor is NaN, a finite number is needed": Scale::new(f64::NAN);
        "an infinite factor" => "the scaling factor is -inf, a finite number is needed": Scale::new(f64::NEG_INFINITY);
        "a subnormal factor" => "ok": w.hooked(Hook::new(At::resid_post(1), Scale::new(5e-324)?));
        "a factor beyond f32" => "hook `Scale { factor: 1.7976931348623157e308 }` cannot stand at blocks.1.hook_resid_post: the scaling factor is 1.7976931348623157e308, allowed in this number format: up to 3.4028234663852886e38": w.hooked(Hook::new(At::resid_post(1), Scale::new(f64::MAX)?));
        "a factor that leads beyond f32" => "the logits are NaN at position 0 of sequence 0; `check_finite` names the first site that is not finite": w.hooked(Hook::new(At::resid_post(1), Scale::new(3e38)?));
        "a coefficient of NaN" => "the coefficient is NaN, a finite number is needed": Add::new(&ones(&[24]), f64::NAN);
        "a coefficient beyond f32" => "hook `Add { vector: Tensor[[24], Float], coefficient: -1e300 }` cannot stand at blocks.1.hook_resid_post: the coefficient is -1e300, allowed in this number format: up to 3.4028234663852886e38":
            w.hooked(Hook::new(At::resid_post(1), Add::new(&ones(&[24]), -1e300)?));
        "an infinite weight" => "the weight is inf, a finite number is needed": Interpolate::new(&ones(&[24]), f64::INFINITY);
        "noise of NaN" => "the standard deviation of the noise is NaN, a finite number is needed": Noise::gaussian(f64::NAN, 0);
        "negative noise" => "the standard deviation of the noise is -1, allowed: 0 or more": Noise::gaussian(-1.0, u64::MAX);
        "noise of negative width" => "the half width of the noise is -0.5, allowed: 0 or more": Noise::uniform(-0.5, 0);
        "infinite noise" => "the half width of the noise is inf, a finite number is needed": Noise::uniform(f64::INFINITY, 0);
        "noise beyond f32" => "hook `Noise { amount: Gaussian { std: 1e300 }, seed: 0 }` cannot stand at blocks.1.hook_resid_post: the standard deviation of the noise is 1e300, allowed in this number format: up to 3.4028234663852886e38": w.hooked(Hook::new(At::resid_post(1), Noise::gaussian(1e300, 0)?));
        "no noise" => "ok": w.hooked(Hook::new(At::resid_post(1), Noise::gaussian(0.0, 0)?));
        "a shuffle of one position" => "hook `Shuffle { what: Positions, seed: 0 }` cannot stand at blocks.1.hook_resid_post, positions last: 1 selected, at least 2 are needed to change places":
            w.hooked(Hook::new(At::resid_post(1).positions(Positions::last()), Shuffle::positions(0)));
        "a shuffle of attention" => "hook `Shuffle { what: Channels, seed: 0 }` cannot stand at blocks.1.attn.hook_pattern: it has no meaning at that site, allowed: all but attn_scores and pattern": w.hooked(Hook::new(At::pattern(1), Shuffle::channels(0)));
        "a shuffle of layer norm scales" => "hook `Shuffle { what: Channels, seed: 0 }` cannot stand at blocks.1.ln1.hook_scale: 1 selected, at least 2 are needed to change places":
            w.hooked(Hook::new(At::ln1_scale(1), Shuffle::channels(0)));
        // Tensors of edits.
        "an undefined value" => "the tensor is undefined, a dense one of a known kind is needed": w.set(&Tensor::new());
        "an undefined value of a registry" => "hook `Set` cannot stand at blocks.1.hook_resid_post: the tensor is undefined, a dense one of a known kind is needed":
            Interventions::new().set(At::resid_post(1), &Tensor::new()).map(|_| ());
        "a sparse value" => "the tensor is sparse, a dense one of a known kind is needed": w.set(&odd()[1]);
        "a value of oneDNN's" => "the tensor is in the layout of oneDNN, a dense one of a known kind is needed": w.set(&odd()[2]);
        "a value of compressed rows" => "the tensor is in another layout, a dense one of a known kind is needed": w.set(&sparse_rows());
        "an integer value" => "hook `Set { value: Tensor[[24], Int64] }` cannot stand at blocks.1.hook_resid_post: its tensor is [24] Int64 on Cpu, it must repeat into [1, 3, 24] Float on Cpu": w.set(&of_kind(Kind::Int64));
        "a value of booleans" => "hook `Set { value: Tensor[[24], Bool] }` cannot stand at blocks.1.hook_resid_post: its tensor is [24] Bool on Cpu, it must repeat into [1, 3, 24] Float on Cpu": w.set(&of_kind(Kind::Bool));
        "a complex value" => "hook `Set { value: Tensor[[24], ComplexFloat] }` cannot stand at blocks.1.hook_resid_post: its tensor is [24] ComplexFloat on Cpu, it must repeat into [1, 3, 24] Float on Cpu": w.set(&of_kind(Kind::ComplexFloat));
        "a value of halves" => "hook `Set { value: Tensor[[24], Half] }` cannot stand at blocks.1.hook_resid_post: its tensor is [24] Half on Cpu, it must repeat into [1, 3, 24] Float on Cpu": w.set(&of_kind(Kind::Half));
        "a value of f64" => "hook `Set { value: Tensor[[24], Double] }` cannot stand at blocks.1.hook_resid_post: its tensor is [24] Double on Cpu, it must repeat into [1, 3, 24] Float on Cpu": w.set(&of_kind(Kind::Double));
        "a value of another width" => "hook `Set { value: Tensor[[25], Float] }` cannot stand at blocks.1.hook_resid_post: its tensor is [25] Float on Cpu, it must repeat into [1, 3, 24] Float on Cpu": w.set(&ones(&[25]));
        "an empty value" => "hook `Set { value: [] }` cannot stand at blocks.1.hook_resid_post: its tensor is [0] Float on Cpu, it must repeat into [1, 3, 24] Float on Cpu": w.set(&ones(&[0]));
        "a value of many axes" => "hook `Set { value: Tensor[[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,…` cannot stand at blocks.1.hook_resid_post: its tensor is [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, … 28 more] Float on Cpu, it must repeat into [1, 3, 24] Float on Cpu": w.set(&ones(&[1; 40]));
        "a value of no axes" => "ok": w.set(&ones(&[]));
        "an undefined direction" => "the tensor is undefined, a dense one of a known kind is needed": Add::new(&Tensor::new(), 1.0);
        "an undefined target" => "the tensor is undefined, a dense one of a known kind is needed": Interpolate::new(&Tensor::new(), 0.5);
        "a closure that returns nothing" => "hook `mine` at blocks.1.hook_resid_post failed: the tensor is undefined, a dense one of a known kind is needed": w.edit(|_| Ok(Tensor::new()));
        "a closure that returns sparse numbers" => "hook `mine` at blocks.1.hook_resid_post failed: the tensor is sparse, a dense one of a known kind is needed": w.edit(|given| Ok(given.to_sparse(None, None::<i64>, None)));
        "a closure that returns another shape" => "hook `mine` at blocks.1.hook_resid_post returned [1, 1, 3, 24] Float on Cpu, it was given [1, 3, 24] Float on Cpu": w.edit(|given| Ok(given.unsqueeze(0)));
        "a closure that returns another kind" => "hook `mine` at blocks.1.hook_resid_post returned [1, 3, 24] Int64 on Cpu, it was given [1, 3, 24] Float on Cpu": w.edit(|given| Ok(given.to_kind(Kind::Int64)));
        "a closure that returns complex numbers" => "hook `mine` at blocks.1.hook_resid_post returned [1, 3, 24] ComplexFloat on Cpu, it was given [1, 3, 24] Float on Cpu":
            w.edit(|given| Ok(given.to_kind(Kind::ComplexFloat)));
        "a closure that libtorch refuses" => "hook `mine` at blocks.1.hook_resid_post failed: libtorch: Internal torch error: Expected size for first two dimensions of batch2 tensor to be: [1, 24] but got: [1, 3].": w.edit(|given| Ok(given.f_matmul(given)?));
        "a closure that fails" => "hook `mine` at blocks.1.hook_resid_post failed: of its own\naccord": w.edit(|_| Err(Error::other("of its own\naccord")));
        "a closure that returns NaN" => "the logits are NaN at position 0 of sequence 0; `check_finite` names the first site that is not finite": w.edit(|given| Ok(given * f64::NAN));
        // Captures.
        "a capture of nothing" => "the run computes no logits and captures nothing": w.run().capture(Vec::<Site>::new()).without_logits().execute();
        "a capture of layer usize::MAX" => "blocks.MAX.attn.hook_z cannot be captured: layer MAX is not in the model, allowed: 0 to 2": w.run().capture([Site::z(HUGE)]).execute();
        "head usize::MAX captured" => "blocks.1.attn.hook_z, heads [MAX] cannot be captured: head MAX is out of range, allowed: 0 to 2": w.run().capture([Capture::new(Site::z(1)).heads([HUGE])]).execute();
        "no head captured" => "blocks.1.attn.hook_z, heads [] cannot be captured: no head is selected, at least one is needed": w.run().capture([Capture::new(Site::z(1)).heads([])]).execute();
        "heads captured of a residual stream" => "blocks.1.hook_resid_post, heads [0] cannot be captured: `heads` cannot be selected at blocks.1.hook_resid_post, allowed: positions": w.run().capture([Capture::new(Site::resid_post(1)).heads([0])]).execute();
        "top 0" => "hook_unembed (top 0) cannot be captured: top 0 is out of range, allowed: 1 to 101": w.run().capture([Capture::new(Site::unembed()).top_k(0)]).execute();
        "top usize::MAX" => "hook_unembed (top MAX) cannot be captured: top MAX is out of range, allowed: 1 to 101": w.run().capture([Capture::new(Site::unembed()).top_k(HUGE)]).execute();
        "more keys than there are" => "blocks.1.attn.hook_pattern (top 4) cannot be captured: top 4 is out of range, allowed: 1 to 3": w.run().capture([Capture::new(Site::pattern(1)).top_k(4)]).execute();
        "moments of scores" => "blocks.1.attn.hook_attn_scores (moments) cannot be captured: it has no moments, being negative infinity where a query sees no key; allowed: its norm, or moments of the pattern": w.run().capture([Capture::new(Site::attn_scores(1)).moments()]).execute();
        "a capture at no position" => "blocks.1.attn.hook_z at positions [] cannot be captured: no position is selected, at least one is needed":
            w.run().capture([Capture::new(Site::z(1)).positions(Positions::several([]))]).execute();
        "what was not captured" => "blocks.1.attn.hook_z was not captured of sequence 0, captured of it: nothing": w.run().execute()?.activations.get(Site::z(1), 0);
        "of a sequence that is not there" => "sequence MAX is not in the batch, which has 1": w.run().execute()?.activations.get(Site::z(1), HUGE);
        "the variance of no moments" => "variance needs at least 1 values, given: 0": Moments::empty()?.variance();
        "twice the same capture" => "ok": w.run().capture([Site::z(1), Site::z(1)]).execute();
        // Runs.
        "resumed at usize::MAX" => "layer to resume at MAX is out of range, allowed: 0 to 3": w.run().resume(HUGE, &[]).execute();
        "resumed from nothing" => "0 residual streams for 1 sequences, one for each is needed": w.run().resume(1, &[]).execute();
        "resumed from too much" => "2 residual streams for 1 sequences, one for each is needed": w.run().resume(1, &[ones(&[3, 24]), ones(&[3, 24])]).execute();
        "resumed from another length" => "sequence 0: its residual stream is [4, 24] Float on Cpu, needed: [3, 24] Float on Cpu": w.run().resume(1, &[ones(&[4, 24])]).execute();
        "resumed from another width" => "sequence 0: its residual stream is [3, 23] Float on Cpu, needed: [3, 24] Float on Cpu": w.run().resume(1, &[ones(&[3, 23])]).execute();
        "resumed from one number" => "sequence 0: its residual stream is [] Float on Cpu, needed: [3, 24] Float on Cpu": w.run().resume(1, &[ones(&[])]).execute();
        "resumed from the undefined" => "sequence 0: its residual stream is undefined, needed: [3, 24] Float on Cpu": w.run().resume(1, &[Tensor::new()]).execute();
        "resumed from the sparse" => "sequence 0: its residual stream is sparse, needed: [3, 24] Float on Cpu": w.run().resume(1, &odd()[1..2]).execute();
        "resumed from integers" => "sequence 0: its residual stream is [3, 24] Int64 on Cpu, needed: [3, 24] Float on Cpu": w.run().resume(1, &[ones(&[3, 24]).to_kind(Kind::Int64)]).execute();
        "stopped at usize::MAX" => "layer MAX is not in the model, allowed: 0 to 2": w.run().stop_after(Site::z(HUGE)).execute();
        "stopped before its beginning" => "the run begins at blocks.2.hook_resid_pre and stops after blocks.0.attn.hook_z, which is earlier":
            w.run().resume(2, &[ones(&[3, 24])]).stop_after(Site::z(0)).execute();
        "logits behind the end" => "logits at positions last were asked for, and the run stops after blocks.0.attn.hook_z, before there are any":
            w.run().stop_after(Site::z(0)).unembed(Positions::last()).execute();
        "no logits and nothing else" => "the run computes no logits and captures nothing": w.run().without_logits().execute();
        "logits at no position" => "no position is selected, at least one is needed": w.run().unembed(Positions::several([])).execute();
        "logits at position usize::MAX" => "positions MAX do not fit sequence 0, which has 3 tokens": w.run().unembed(Positions::at(HUGE)).execute();
        "logits of no sequence" => "sequence MAX is not in the batch, which has 1": w.run().execute()?.logits.at(HUGE, 0);
        "logits of no position" => "position MAX of sequence 0 was not unembedded, unembedded: [0, 1, 2]": w.run().execute()?.logits.at(0, HUGE);
        "logits that were not asked for" => "position 2 of sequence 0 was not unembedded, unembedded: []":
            w.run().capture([Site::z(0)]).without_logits().execute()?.logits.last(0);
        "the effect on other logits" => "the logits are of other sequences or other positions, the same are needed":
            w.run().execute()?.effect(&w.model.run(&w.two).execute()?.logits);
        "logits of an undefined stream" => "the residual stream to unembed is undefined, needed: […, 24] Float on Cpu": w.model.unembed(&Tensor::new());
        "logits of one number" => "the residual stream to unembed is [] Float on Cpu, needed: […, 24] Float on Cpu": w.model.unembed(&ones(&[]));
        "logits of no rows" => "ok": w.model.unembed(&ones(&[0, 24]));
        "logits of a sparse stream" => "the residual stream to unembed is sparse, needed: […, 24] Float on Cpu": w.model.unembed(&odd()[1]);
        "a parameter of layer usize::MAX" => "layer MAX is not in the model, allowed: 0 to 2": w.model.parameter(Parameter::w_q(HUGE));
        "a parameter of no name" => "`` is no parameter; the nearest names are embed.W_E, ln_final.w, ln_final.b": "".parse::<Parameter>();
        "a site of no name" => "`` is no hook site; the nearest names are hook_embed, hook_unembed, hook_pos_embed": Ok("".parse::<Site>()?);
        "a site of a negative layer" => "`blocks.-1.attn.hook_z` is no hook site; the nearest names are blocks.0.attn.hook_z, blocks.0.attn.hook_q, blocks.0.attn.hook_k": Ok("blocks.-1.attn.hook_z".parse::<Site>()?);
        "a site of a layer beyond all" => "`blocks.99999999999999999999.attn.hook_z` is no hook site; the nearest names are blocks.0.attn.hook_z, blocks.0.attn.hook_q, blocks.0.attn.hook_k":
            Ok("blocks.99999999999999999999.attn.hook_z".parse::<Site>()?);
        "a device of no name" => "device `` is not known, allowed: cpu, cuda, cuda:N, mps": device::parse("");
        "a device beyond all" => "device `cuda:99999999999999999999` is not known, allowed: cpu, cuda, cuda:N, mps": device::parse("cuda:99999999999999999999");
        "a precision of no name" => "precision `f16` is not known, allowed: f32, f64, bf16": "f16".parse::<Precision>();
        // Gradients.
        "the gradient of nothing" => "the tensor is undefined, a dense one of a known kind is needed": w.differentiate(|_| Tensor::new());
        "the gradient of several numbers" => "a tensor of shape [3, 101] cannot be differentiated, one number is needed": w.differentiate(|logits| logits.shallow_clone());
        "the gradient of no number" => "a tensor of shape [0, 101] cannot be differentiated, one number is needed": w.differentiate(|logits| logits.narrow(0, 0, 0));
        "the gradient of an integer" => "a number of kind Int64 cannot be differentiated, one of floating point is needed": w.differentiate(|logits| logits.argmax(None, false));
        "the gradient of a complex number" => "a number of kind ComplexFloat cannot be differentiated, one of floating point is needed":
            w.differentiate(|logits| logits.sum(Kind::Float).to_kind(Kind::ComplexFloat));
        "the gradient of a sparse number" => "the tensor is sparse, a dense one of a known kind is needed":
            w.differentiate(|logits| logits.sum(Kind::Float).unsqueeze(0).to_sparse(None, None::<i64>, None));
        "the gradient of what was detached" => "the number to differentiate was computed neither from the logits nor from captured activations, or was detached on the way":
            w.differentiate(|logits| logits.detach().sum(Kind::Float));
        "gradients round a layer norm" => "blocks.1.hook_q_input goes round blocks.1.ln1.hook_scale once it is edited or differentiated: gradients take one run for each": w
            .run()
            .capture([Site::q_input(1), Site::ln1_scale(1)])
            .differentiate(|logits| Ok(logits.tensor(0)?.f_max()?));
        // Generation.
        "no new token" => "no token is to be generated, at least one is needed": w.generate(0).execute();
        "usize::MAX new tokens" => "sequence 0: a prompt of 3 tokens and MAX new ones do not fit the model's context, which computes 32": w.generate(HUGE).execute();
        "more tokens than the context holds" => "sequence 0: a prompt of 3 tokens and 31 new ones do not fit the model's context, which computes 32": w.generate(31).execute();
        "a prompt beyond the context" => "sequence 0 has 33 tokens, the model's context holds 32": w.model.generate(&w.long, 1).execute();
        "a stop token of no vocabulary" => "token 4294967295 is not in the vocabulary, allowed: 0 to 100": w.generate(1).stop_token(u32::MAX).execute();
        "the coldest temperature" => "ok": w.generate(2).sampling(Sampling::seeded(5e-324, 0)?).execute();
        "temperature 1e-320" => "ok": w.generate(2).sampling(Sampling::seeded(1e-320, 0)?).execute();
        "the hottest temperature" => "ok": w.generate(2).sampling(Sampling::seeded(f64::MAX, 0)?).execute();
        "temperature 0" => "the temperature is 0, a finite number above 0 is needed": Sampling::seeded(0.0, 0);
        "a negative temperature" => "the temperature is -0.7, a finite number above 0 is needed": Sampling::seeded(-0.7, 0);
        "temperature NaN" => "the temperature is NaN, a finite number above 0 is needed": Sampling::seeded(f64::NAN, 0);
        "an infinite temperature" => "the temperature is inf, a finite number above 0 is needed": Sampling::seeded_top_k(1, f64::INFINITY, 0);
        "a draw from no token" => "top 0 is out of range, allowed: 1 to 101": w.generate(1).sampling(Sampling::seeded_top_k(0, 1.0, 0)?).execute();
        "a draw from usize::MAX tokens" => "top MAX is out of range, allowed: 1 to 101":
            w.generate(1).sampling(Sampling::seeded_top_k(HUGE, 1.0, 0)?).execute();
        "every token banned" => "no token can be drawn at position 3: the logits give none a probability": {
            let mut hooks = Interventions::new();
            hooks.edit("ban", At::unembed(), |x, _| Ok(x.f_full_like(f64::NEG_INFINITY)?));
            w.generate(1).hooks(&hooks).execute()
        };
        "an infinite logit" => "no token can be drawn at position 3: the logits give none a probability": {
            let mut hooks = Interventions::new();
            hooks.edit("sure", At::unembed(), |x, _| Ok(x.f_full_like(f64::INFINITY)?));
            w.generate(1).hooks(&hooks).sampling(Sampling::seeded(1.0, 0)?).execute()
        };
        "the likeliest of infinite logits" => "no token can be drawn at position 3: the logits give none a probability": {
            let mut hooks = Interventions::new();
            hooks.edit("sure", At::unembed(), |x, _| Ok(x.f_full_like(f64::INFINITY)?));
            w.generate(1).hooks(&hooks).execute()
        };
        "shuffled positions, one by one" => "hook `Shuffle { what: Positions, seed: 0 }` cannot stand at blocks.1.hook_resid_post: it mixes positions, which cannot be done while they are computed one after the other": {
            let mut hooks = Interventions::new();
            hooks.shuffle(At::resid_post(1), Shuffle::positions(0));
            w.generate(2).hooks(&hooks).execute()
        };
        // Sweeps.
        "no axis" => "ok": {
            w.sweep(&Variants::over([], |_, _| Ok(NoHooks), &w.batch)?)
        };
        "an empty axis" => "the axis `a` is empty, at least one value is needed": Variants::over([Axis::counting("a", 0)], |_, _| Ok(NoHooks), &w.batch);
        "two axes of one name" => "ok":
            w.sweep(&Variants::over([Axis::counting("a", 1), Axis::counting("a", 2)], |_, _| Ok(NoHooks), &w.batch)?);
        "a point of a variant that fails" => "no":
            Variants::over([Axis::counting("a", 1)], |_, _| Err::<NoHooks, _>(Error::other("no")), &w.batch);
        "no factor" => "the axis `factor` is empty, at least one value is needed": Variants::layer_factors(0..w.model.config().n_layers, &[], &w.batch);
        "a factor of NaN in a sweep" => "the scaling factor is NaN, a finite number is needed": Variants::layer_factors(0..w.model.config().n_layers, &[f64::NAN], &w.batch);
        "no neuron" => "the axis `neuron` is empty, at least one value is needed": w.neurons(&[], Replacement::Zero);
        "neuron usize::MAX ablated" => "neuron MAX, sequence 0: hook `Scale { factor: 0.0 }` cannot stand at blocks.1.mlp.hook_post, neurons [MAX]: neuron MAX is out of range, allowed: 0 to 95": w.neurons(&[HUGE], Replacement::Zero);
        "neuron usize::MAX resampled" => "neuron MAX is out of range, allowed: 0 to 95": {
            let other = w.run().capture([Site::mlp_post(1)]).execute()?;
            w.neurons(&[HUGE], Replacement::Resample(&other.activations))
        };
        "a mean of neurons" => "ok": w.neurons(&[0], Replacement::Mean(&w.mean_of(Site::mlp_post(1))?));
        "a mean of neuron usize::MAX" => "neuron MAX, sequence 0: hook `MeanAblation { over_tokens: Tensor[[96], Double] }` cannot stand at blocks.1.mlp.hook_post, neurons [MAX]: neuron MAX is out of range, allowed: 0 to 95":
            w.neurons(&[HUGE], Replacement::Mean(&w.mean_of(Site::mlp_post(1))?));
        "a mean of another site" => "there is no mean of blocks.1.mlp.hook_post, there is one of: blocks.1.mlp.hook_pre": w.neurons(&[0], Replacement::Mean(&w.mean_of(Site::mlp_pre(1))?));
        "a mean of no template" => "templates of 0 sequences for 1, one for each is needed": w.neurons(&[0], Replacement::MeanByTemplate { means: &[], template_of: &[] });
        "a mean of template usize::MAX" => "there are no means of template MAX, that of sequence 0; there are means of 0 templates": w.neurons(&[0], Replacement::MeanByTemplate { means: &[], template_of: &[HUGE] });
        "a mean of layer usize::MAX" => "layer MAX is not in the model, allowed: 0 to 2": w.run().mean_by_position([Site::z(HUGE)]);
        "a mean of several lengths" => "a mean by position needs sequences of one length, given: 3 and 2 tokens; allowed for any lengths: a mean over tokens": w.model.run(&w.two).mean_by_position([Site::z(1)]);
        "heads of a site without" => "`heads` cannot be selected at blocks.0.hook_resid_pre, allowed: sequences, positions, channels":
            Variants::patched_heads(w.model.config(), Site::resid_pre, Replacement::Zero, &w.batch);
        "heads of some sites" => "`heads` cannot be selected at blocks.1.hook_resid_pre, allowed: sequences, positions, channels": Variants::patched_heads(
            w.model.config(),
            |layer| if layer == 0 { Site::z(0) } else { Site::resid_pre(layer) },
            Replacement::Zero,
            &w.batch,
        );
        "patches of layer usize::MAX" => "layer 0, position 0, sequence 0: hook `Scale { factor: 0.0 }` cannot stand at blocks.MAX.hook_resid_pre, positions 0: layer MAX is not in the model, allowed: 0 to 2": w.sweep(&Variants::patched_positions(
            w.model.config(),
            |_| Site::resid_pre(HUGE),
            Replacement::Zero,
            &w.batch,
        )?);
        "patches from a run that kept nothing" => "blocks.0.hook_resid_pre was not captured of sequence 0, captured of it: nothing": Variants::patched_positions(
            w.model.config(),
            Site::resid_pre,
            Replacement::Resample(&w.run().execute()?.activations),
            &w.batch,
        );
        "positions of several lengths" => "a grid over positions needs sequences of one length, given: 3 and 2 tokens":
            Variants::patched_positions(w.model.config(), Site::resid_pre, Replacement::Zero, &w.two);
        "noise of NaN in a sweep" => "the standard deviation of the noise is NaN, a finite number is needed": Variants::noise_levels(&At::embed(), &[f64::NAN], 0, &w.batch);
        "an undefined direction in a sweep" => "hook `Add` cannot stand at blocks.1.hook_resid_post: the tensor is undefined, a dense one of a known kind is needed":
            Variants::steered(&At::resid_post(1), &Tensor::new(), &[1.0], &w.batch);
        "a sweep of other sequences" => "variants of 1 sequences in a sweep over 2, as many are needed": Sweep::new(&w.model, &w.two).plan(&w.variants());
        "a sweep of other tokens" => "the variants were made for another batch: sequence 0 has other tokens": {
            let other = Batch::single([1, 2, 3])?;
            Sweep::new(&w.model, &other).plan(&w.variants()).map(drop)
        };
        "a sweep beyond the context" => "sequence 0 has 33 tokens, the model's context holds 32": {
            let variants = Variants::layer_factors(0..w.model.config().n_layers, &[0.5], &w.long)?;
            Sweep::new(&w.model, &w.long).plan(&variants).map(drop)
        };
        "a sweep scored at position usize::MAX" => "positions MAX do not fit sequence 0, which has 3 tokens":
            Sweep::new(&w.model, &w.batch).score(Positions::at(HUGE)).plan(&w.variants());
        "a sweep scored at no position" => "no position is selected, at least one is needed":
            Sweep::new(&w.model, &w.batch).score(Positions::several([])).plan(&w.variants());
        "a sweep without memory" => "one variant, with all that is captured before it, needs 0.2 MiB (130664 bytes) besides the model, allowed: 0.0 MiB (0 bytes)": Sweep::new(&w.model, &w.batch).max_bytes(0).plan(&w.variants());
        "a sweep that captures layer usize::MAX" => "blocks.MAX.attn.hook_z cannot be captured: layer MAX is not in the model, allowed: 0 to 2":
            Sweep::new(&w.model, &w.batch).capture([Site::z(HUGE)]).plan(&w.variants());
        "a sweep of the top usize::MAX" => "blocks.0.attn.hook_z (top MAX) cannot be captured: top MAX is out of range, allowed: 1 to 8":
            Sweep::new(&w.model, &w.batch).capture([Capture::new(Site::z(0)).top_k(HUGE)]).plan(&w.variants());
        "a sweep that measures nothing" => "ok":
            Sweep::new(&w.model, &w.batch).plan(&w.variants())?.measure(&[]);
        "one metric twice" => "two metrics are called `loss`, one can be `named` otherwise": Sweep::new(&w.model, &w.batch)
            .plan(&w.variants())?
            .measure(&[&Loss::of(1), &Loss::of(2)]);
        "a target of no vocabulary" => "token 4294967295 is not in the vocabulary, allowed: 0 to 100": w.measure(&DeltaLoss::of(u32::MAX));
        "no targets" => "`rank` has 0 targets for 1 sequences, one for each is needed": w.measure(&Rank::of_each([]));
        "two targets of one sequence" => "`logit_difference` has 2 targets for 1 sequences, one for each is needed": w.measure(&LogitDifference::of_each([1, 2], [3, 4]));
        "the token behind the last" => "`next_token_loss` needs a token behind a scored position, and none is scored but the last": w.measure(&NextTokenLoss);
        "a metric of NaN" => "ok": w.measure(&Measure::new("", |_| Ok(f64::NAN)));
        "a metric that was not measured" => "metric `?` is not known, allowed: none, nothing was measured":
            Sweep::new(&w.model, &w.batch).plan(&w.variants())?.measure(&[])?.values("?").map(|_| ());
        "a point that is not there" => "no variant is at [MAX, MAX], the axes have the lengths [3, 1]":
            Sweep::new(&w.model, &w.batch).plan(&w.variants())?.measure(&[])?.change_l2(&[HUGE, HUGE], 0);
        "a point of too many axes" => "no variant is at [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, … 988 more], the axes have the lengths [3, 1]":
            Sweep::new(&w.model, &w.batch).plan(&w.variants())?.measure(&[])?.change_l2(&[0; 1000], 0);
        "a point of no sequence" => "sequence MAX is not in the batch, which has 1":
            Sweep::new(&w.model, &w.batch).plan(&w.variants())?.measure(&[])?.change_l2(&[0, 0], HUGE);
        // Statistics.
        "the loss of no logits" => "log_softmax needs at least 1 values, given: 0": loss::negative_log_likelihood(none.view(), 0);
        "the loss of token u32::MAX" => "token 4294967295 is not in the vocabulary, allowed: 0 to 0": loss::negative_log_likelihood(one.view(), u32::MAX);
        "probabilities of nothing" => "log_softmax needs at least 1 values, given: 0": loss::log_softmax(none.view());
        "probabilities of infinite logits" => "log_softmax: value 0 is inf, a finite number is needed": loss::log_softmax(infinite.view());
        "probabilities of banned tokens" => "log_softmax: value 0 is -inf, a finite number is needed": loss::log_softmax(banned.view());
        "entropy of nothing" => "log_softmax needs at least 1 values, given: 0": entropy::entropy(none.view());
        "entropy of banned tokens" => "log_softmax: value 0 is -inf, a finite number is needed": entropy::entropy(banned.view());
        "divergence of two lengths" => "kl_divergence needs two vectors of one length, given: 0 and 1": divergence::kl_divergence(none.view(), one.view());
        "divergence from banned tokens" => "kl_divergence: value 0 is -inf, a finite number is needed": divergence::kl_divergence(banned.view(), banned.view());
        "correlation of nothing" => "pearson needs at least 1 values, given: 0": correlation::pearson(none.view(), none.view());
        "correlation of one value" => "spearman needs at least 2 values, given: 1": correlation::spearman(one.view(), one.view());
        "spread of nothing" => "std_ratio needs at least 1 values, given: 0": spread::std_ratio(none.view(), none.view());
        "a shift to infinity" => "mean_shift: value 0 is inf, a finite number is needed": spread::mean_shift(infinite.view(), infinite.view());
        "the rank of no token" => "rank_of needs at least 1 values, given: 0": rank::rank_of(none.view(), 0);
        "the top 0 of nothing" => "top_k needs at least 1 values, given: 0": rank::top_k(none.view(), 0);
        "the top usize::MAX" => "top MAX is out of range, allowed: 1 to 1": rank::top_k(one.view(), HUGE);
        "a table far to the right" => "ok":
            Ok(Table::new([("a", Align::Left)]).indented(HUGE).to_string());
    };
    assert!(calls.len() > 100);
    let mut wrong = String::new();
    for (what, expected, call) in &calls {
        let answer = match catch_unwind(AssertUnwindSafe(call)) {
            Ok(Ok(())) => "ok".to_owned(),
            Ok(Err(error)) => chain(&error),
            Err(_) => "PANIC".to_owned(),
        };
        let answer = answer.replace(&HUGE.to_string(), "MAX");
        if answer != *expected {
            wrong += &format!("{what}\n    => {answer}\n    expected: {expected}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
