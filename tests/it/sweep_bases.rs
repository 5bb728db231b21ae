//! Sweeps whose bases are edited, in every way and everywhere, give what plain runs give.

use hooked_gpt2::hook::{At, Edit, Hook, Part, Positions, Site, SiteShape};
use hooked_gpt2::intervention::{
    Add, Clamp, Function, Interpolate, Interventions, Noise, ProjectOut, Scale, Set, Shuffle,
};
use hooked_gpt2::sweep::{Axis, Measure, Metric, Sweep, Variants};
use hooked_gpt2::tch::{Device, Kind, Tensor};
use hooked_gpt2::{Batch, Gpt2, Precision, Result};

use crate::support::tiny;
use crate::tolerance;

const LENGTHS: [usize; 2] = [5, 3];
const D_VOCAB: usize = 101;

fn batch() -> Batch {
    Batch::new([vec![3, 14, 15, 92, 65], vec![35, 89, 79]]).unwrap()
}

/// A tensor of its own numbers for every place of a site, over a sequence of `len` tokens.
fn values(site: Site, len: i64) -> Tensor {
    let (n_heads, d_model, d_head, d_mlp) = (3, 24, 8, 96);
    let size: Vec<i64> = match site.shape() {
        SiteShape::Residual => vec![len, d_model],
        SiteShape::HeadResidual => vec![len, n_heads, d_model],
        SiteShape::HeadVector => vec![len, n_heads, d_head],
        SiteShape::Attention => vec![n_heads, len, len],
        SiteShape::Neurons => vec![len, d_mlp],
        SiteShape::PerPosition => vec![len, 1],
        _ => vec![len, D_VOCAB as i64],
    };
    let count: i64 = size.iter().product();
    // Never zero, so that layer norms' divisors stay divisors.
    let wave = Tensor::arange(count, (Kind::Double, Device::Cpu)).sin() * 0.4 + 1.1;
    wave.view(&size[..])
}

/// An edit of one's own, which does not say that it shows later keys.
#[derive(Debug)]
struct Mirror;

impl Edit for Mirror {
    fn apply(&self, pattern: &Tensor, _part: &Part<'_>) -> Result<Tensor> {
        Ok(pattern.f_flip([3])?)
    }
}

/// Every edit, with a tensor of one row for each position where it takes one.
fn edits(site: Site, sequence: usize) -> Vec<(&'static str, Hook)> {
    let value = values(site, LENGTHS[sequence] as i64);
    // Of one sequence alone, since its tensor does not fit the others.
    let at = || At::site(site).sequences([sequence]);
    let mut edits = vec![
        ("scale", Hook::new(at(), Scale::new(1.5).unwrap())),
        ("set", Hook::new(at(), Set::new(&value).unwrap())),
        ("add", Hook::new(at(), Add::new(&value, 0.3).unwrap())),
        ("interpolate", Hook::new(at(), Interpolate::new(&value, 0.4).unwrap())),
        ("clamp", Hook::new(at(), Clamp::at_least(0.3).unwrap())),
        ("noise", Hook::new(at(), Noise::gaussian(0.05, 5).unwrap())),
        // What becomes of a position depends on all others.
        (
            "closure",
            Hook::new(
                at(),
                Function::new("mirror", move |x, _| {
                    let axis = if site.shape() == SiteShape::Attention { 3 } else { 1 };
                    let mirrored = x.f_flip([axis])?;
                    // Infinities of the mask must not meet.
                    Ok(if site.to_string().ends_with("scores") {
                        x.f_mul_scalar(0.5)?
                    } else {
                        mirrored
                    })
                }),
            ),
        ),
    ];
    if !matches!(site.shape(), SiteShape::Attention | SiteShape::PerPosition) {
        let direction = value.get(0).flatten(0, -1);
        let width = value.size().last().copied().unwrap_or(1);
        let edit = ProjectOut::new(&direction.narrow(0, 0, width)).unwrap();
        edits.push(("project_out", Hook::new(at(), edit)));
    }
    if site.to_string().ends_with("hook_pattern") {
        edits.push(("an edit of one's own", Hook::new(at(), Mirror)));
    }
    if site.shape() != SiteShape::Attention {
        edits.push(("shuffle", Hook::new(at(), Shuffle::positions(3))));
    }
    edits
}

/// A change of one position in one block, and of the last layer's end.
fn variants(batch: &Batch) -> Variants {
    let axes = [Axis::counting("layer", 3), Axis::counting("position", 3)];
    let hooks = |index: &[usize], _| {
        let mut hooks = Interventions::new();
        hooks.scale(At::resid_pre(index[0]).positions(Positions::at(index[1])), -0.7)?;
        Ok(hooks)
    };
    Variants::over(axes, hooks, batch).unwrap()
}

/// The largest difference of a logit in a sweep from that in plain runs.
fn difference(model: &Gpt2, batch: &Batch, base: &Interventions, score: Positions) -> f64 {
    let variants = variants(batch);
    let plan = Sweep::new(model, batch).base_hooks(base).score(score).plan(&variants).unwrap();
    let logits: Vec<_> = (0..D_VOCAB)
        .step_by(9)
        .map(|token| Measure::new(format!("{token}"), move |reading| Ok(reading.logits[token])))
        .collect();
    let metrics: Vec<&dyn Metric> = logits.iter().map(|metric| metric as &dyn Metric).collect();
    let (shared, isolated) =
        (plan.measure(&metrics).unwrap(), plan.measure_isolated(&metrics).unwrap());
    let mut largest: f64 = 0.0;
    for metric in &metrics {
        let of = |results: &hooked_gpt2::sweep::Results| {
            results.values(metric.name()).unwrap().to_owned()
        };
        for (&a, &b) in of(&shared).iter().zip(&of(&isolated)) {
            assert!(a.is_finite() && b.is_finite());
            largest = largest.max((a - b).abs() / b.abs().max(1.0));
        }
    }
    largest
}

#[test]
fn a_base_with_any_edit_at_any_site_gives_every_variant_what_its_own_run_gives() {
    let model = tiny(Precision::F64);
    let batch = batch();
    let mut checked = 0;
    for site in Site::all(3) {
        let [long, short] = [0, 1].map(|sequence| edits(site, sequence));
        for ((name, long), (_, short)) in long.into_iter().zip(short) {
            let mut base = Interventions::new();
            base.add(long);
            base.add(short);
            for score in [Positions::last(), Positions::range(0..2)] {
                let difference = difference(&model, &batch, &base, score);
                assert!(difference <= tolerance::F64, "{site} {name}: {difference:e}");
                checked += 1;
            }
        }
    }
    assert_eq!(checked, 2 * (68 * 8 + 61 + 3 * 7 + 3 * 8));
}

#[test]
fn a_base_whose_pattern_shows_later_keys_is_carried_whole() {
    let model = tiny(Precision::F64);
    let batch = Batch::single([3, 14, 15, 92, 65]).unwrap();
    // The second query reads the last key: what a variant changes there reaches it.
    let mut pattern = Tensor::eye(5, (Kind::Double, Device::Cpu));
    let row = Tensor::from_slice(&[0.0, 0.0, 0.0, 0.0, 1.0]);
    pattern.get(1).copy_(&row);
    for layer in 0..3 {
        let mut base = Interventions::new();
        base.set(At::pattern(layer), &pattern).unwrap();
        for score in [Positions::last(), Positions::all()] {
            let difference = difference(&model, &batch, &base, score);
            assert!(difference <= tolerance::F64, "{layer}: {difference:e}");
        }
    }
    // What shows no later key keeps the economy of a causal run.
    let rows = |pattern: &Tensor| {
        let mut base = Interventions::new();
        base.set(At::pattern(1), pattern).unwrap();
        let axes = [Axis::counting("position", 1)];
        let last = |_: &[usize], _| {
            let mut hooks = Interventions::new();
            hooks.zero(At::resid_pre(0).positions(Positions::last()));
            Ok(hooks)
        };
        let variants = Variants::over(axes, last, &batch).unwrap();
        let plan = Sweep::new(&model, &batch).base_hooks(&base).plan(&variants).unwrap();
        plan.block_rows() - 3 * 5
    };
    assert_eq!(rows(&pattern), 3 * 5);
    // Weight below zero is weight.
    assert_eq!(rows(&(&pattern * -1.0)), 3 * 5);
    pattern = pattern.tril(0);
    assert_eq!(rows(&pattern), 3);
}

#[test]
fn a_base_patched_from_another_run_runs() {
    let model = tiny(Precision::F64);
    let (batch, other) =
        (Batch::single([3, 14, 15, 92, 65]).unwrap(), Batch::single([9, 2, 6, 53, 58]).unwrap());
    let sites = [Site::resid_post(0), Site::attn_scores(1), Site::z(2)];
    let kept = model.run(&other).capture(sites).execute().unwrap().activations;
    for (site, positions) in [
        (sites[0], Positions::all()),
        (sites[0], Positions::range(1..4)),
        (sites[1], Positions::all()),
        (sites[2], Positions::several([0, 2, 4])),
    ] {
        let whole = kept.get(site, 0).unwrap();
        let axis = if site.shape() == SiteShape::Attention { 1 } else { 0 };
        let chosen: Vec<i64> =
            positions.indices(5, 0).unwrap().into_iter().map(|position| position as i64).collect();
        let value = whole.index_select(axis, &Tensor::from_slice(&chosen));
        let mut base = Interventions::new();
        base.set(At::site(site).positions(positions.clone()), &value).unwrap();
        let difference = difference(&model, &batch, &base, Positions::last());
        assert!(difference <= tolerance::F64, "{site} {positions}: {difference:e}");
    }
}

#[test]
fn a_base_that_mixes_positions_of_one_sequence_alone_is_carried_whole_there() {
    let model = tiny(Precision::F64);
    let batch = Batch::new([vec![3, 14, 15, 92, 65], vec![35, 89, 79, 32, 38]]).unwrap();
    for sequence in 0..2 {
        let mut base = Interventions::new();
        base.shuffle(At::attn_out(1).sequences([sequence]), Shuffle::positions(3));
        let difference = difference(&model, &batch, &base, Positions::all());
        assert!(difference <= tolerance::F64, "{sequence}: {difference:e}");
    }
}
