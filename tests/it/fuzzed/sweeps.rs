//! Sweeps against a run for each variant.

use std::path::Path;
use std::sync::LazyLock;

use arbitrary::{Result, Unstructured};
use hooked_gpt2::hook::{At, MeanActivations, Positions, Site, SiteShape};
use hooked_gpt2::intervention::{Clamp, Interventions, Noise, Shuffle};
use hooked_gpt2::sweep::{Axis, Measure, Metric, Sweep, SweepError, Variants};
use hooked_gpt2::tch::{Device, Tensor};
use hooked_gpt2::{Batch, Checkpoint, Error, Gpt2, Precision};

use super::in_words;

/// Rounding, as a share of the largest logit.
const ALLOWED: f64 = 1e-9;

static MODEL: LazyLock<Gpt2> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"));
    let paths = [path.to_owned(), path.join("..")].map(|path| path.join("tests/fixtures/tiny"));
    let path = paths.into_iter().find(|path| path.exists()).expect("the fixture is there");
    let checkpoint = Checkpoint::directory(path).expect("it is whole");
    Gpt2::load(&checkpoint, Precision::F64, Device::Cpu).expect("it fits").0
});

/// Means by position and over tokens, as long as any prompt.
static MEANS: LazyLock<[MeanActivations; 2]> = LazyLock::new(|| {
    let reference = Batch::new([[7, 1, 9, 30, 5, 6], [8, 2, 60, 4, 3, 99]]).expect("two sequences");
    let sites = || Site::all(3).filter(|site| !site.to_string().ends_with("attn_scores"));
    let by_position = MODEL.run(&reference).mean_by_position(sites());
    let over_tokens = sites().filter(|site| site.shape() != SiteShape::Attention);
    let over_tokens = MODEL.run(&reference).mean_over_tokens(over_tokens);
    [by_position, over_tokens].map(|means| means.expect("they have means"))
});

/// Any sweep that can be planned gives what a run for each of its variants gives, in as much memory as it says.
pub fn case(bytes: &[u8]) {
    // Where the bytes end, nothing is left to be tried.
    let _ = try_case(&mut Unstructured::new(bytes));
}

fn try_case(u: &mut Unstructured<'_>) -> Result<()> {
    let mut lengths = Vec::new();
    for _ in 0..u.int_in_range(1..=3)? {
        lengths.push(u.int_in_range(1..=6)?);
    }
    let shortest = lengths.iter().copied().min().unwrap_or(1);
    let sequence = |(sequence, len): (usize, &usize)| -> Vec<u32> {
        (0..*len as u32).map(|place| (place * 17 + sequence as u32 * 5) % 101).collect()
    };
    let batch = Batch::new(lengths.iter().enumerate().map(sequence)).expect("it has tokens");
    let base = hooks(u, shortest, 2)?;
    let n_points: usize = u.int_in_range(1..=4)?;
    let mut all = Vec::new();
    for _ in 0..n_points * lengths.len() {
        all.push(hooks(u, shortest, 3)?);
    }
    all.reverse();
    let axes = [Axis::counting("variant", n_points)];
    let variants = Variants::over(axes, |_, _| Ok(all.pop().expect("one for each")), &batch);
    let variants = variants.expect("no axis is empty");
    let score = positions(u, shortest)?;
    let sweep = || Sweep::new(&MODEL, &batch).base_hooks(&base).score(score.clone());
    let Some(whole) = in_words(sweep().plan(&variants)) else { return Ok(()) };
    let smallest = match sweep().max_bytes(0).plan(&variants) {
        Err(Error::Sweep(SweepError::BudgetTooSmall { needed, .. })) => needed,
        Err(error) => panic!("planned, and with no memory {error}"),
        Ok(_) => panic!("nothing fits into no memory"),
    };
    let share = u.int_in_range(0..=4)?;
    let budget = smallest + whole.peak_bytes().saturating_sub(smallest) / 4 * share;
    let plan = match sweep().max_bytes(budget).plan(&variants) {
        Ok(plan) => plan,
        Err(Error::Sweep(SweepError::BudgetTooSmall { .. })) => whole,
        Err(error) => panic!("planned, and with less memory {error}"),
    };
    let logit = |token: usize| {
        Measure::new(format!("logit {token}"), move |reading| Ok(reading.logits[token]))
    };
    let logits: Vec<_> = (0..101).step_by(10).map(logit).collect();
    let metrics: Vec<&dyn Metric> = logits.iter().map(|logit| logit as _).collect();
    let (shared, alone) = (plan.measure(&metrics), plan.measure_isolated(&metrics));
    let (shared, alone) = match (in_words(shared), in_words(alone)) {
        (Some(shared), Some(alone)) => (shared, alone),
        (None, None) => return Ok(()),
        (shared, _) => panic!("only one of the two fails: swept {}\n{plan}", shared.is_some()),
    };
    for metric in metrics {
        let values = |results: &hooked_gpt2::sweep::Results| -> Vec<f64> {
            let all = results.values(metric.name()).expect("measured");
            all.iter().chain(results.base(metric.name()).expect("measured")).copied().collect()
        };
        let (shared, alone) = (values(&shared), values(&alone));
        assert_eq!(shared.len(), alone.len());
        let largest = alone.iter().fold(1.0_f64, |largest, value| largest.max(value.abs()));
        for (shared, alone) in shared.into_iter().zip(alone) {
            // NaN where a shorter sequence has no such position.
            let same = shared.is_nan() && alone.is_nan();
            assert!(
                same || (shared - alone).abs() <= ALLOWED * largest,
                "{}: {shared}, alone {alone}\n{plan}",
                metric.name()
            );
        }
    }
    Ok(())
}

fn hooks(u: &mut Unstructured<'_>, shortest: usize, most: usize) -> Result<Interventions> {
    let mut hooks = Interventions::new();
    for _ in 0..u.int_in_range(0..=most)? {
        add_one(&mut hooks, u, shortest)?;
    }
    Ok(hooks)
}

fn add_one(hooks: &mut Interventions, u: &mut Unstructured<'_>, shortest: usize) -> Result<()> {
    let sites: Vec<Site> = Site::all(3).collect();
    let site = *u.choose(&sites)?;
    let at = at(site, u, shortest)?;
    let amount = f64::from(u.int_in_range(-8_i32..=8)?) / 4.0;
    // What divides is never near zero.
    let is_scale = site.shape() == SiteShape::PerPosition;
    let factor = if is_scale { 1.0 + amount.abs() } else { amount };
    let value = |value: f64| Tensor::f_from_slice(&[value]).expect("one number is a tensor");
    // Heads stand before the queries of attention.
    let position_axis = if site.shape() == SiteShape::Attention { 2 } else { 1 };
    let fits = "numbers are finite";
    match u.int_in_range(0..=15)? {
        0..=2 => hooks.scale(at, factor).expect(fits),
        3 => hooks.scale(at, if is_scale { 2.0 } else { 0.0 }).expect(fits),
        4 => hooks.set(at, &value(factor)).expect(fits),
        5 => hooks.steer(at, &value(factor), 1.0).expect(fits),
        6 if !is_scale => hooks.interpolate(at, &value(factor), 0.25).expect(fits),
        7 if !is_scale => {
            hooks.noise(at, Noise::gaussian(amount.abs(), u.arbitrary()?).expect(fits))
        }
        8 => hooks.shuffle(at, Shuffle::positions(u.arbitrary()?)),
        9 => hooks.shuffle(at, Shuffle::channels(u.arbitrary()?)),
        10 => hooks.edit("mean of positions", at, move |x, _| {
            let half = x.f_mul(&Tensor::f_from_slice(&[0.5])?)?;
            Ok(half.f_mean_dim(position_axis, true, None)?.f_add(&half)?)
        }),
        11 if !is_scale => {
            let clamp =
                if u.arbitrary()? { Clamp::at_most(amount) } else { Clamp::at_least(amount) };
            hooks.clamp(at, clamp.expect(fits))
        }
        12 => hooks.clamp(at, Clamp::between(1.0, 2.0 + amount.abs()).expect(fits)),
        13 => match hooks.mean_ablate(at, &MEANS[u.int_in_range(0..=1)?]) {
            Ok(hooks) => hooks,
            // Not every site has such a mean.
            Err(_) => return Ok(()),
        },
        14 if !is_scale && site.shape() != SiteShape::Attention => {
            let width = match site.shape() {
                SiteShape::Neurons => 96,
                SiteShape::HeadVector => 8,
                SiteShape::Vocabulary => 101,
                _ => 24,
            };
            let at = At::site(site).positions(positions(u, shortest)?);
            let direction: Vec<f64> = (0..width).map(|i| amount + f64::from(i).sin()).collect();
            let direction = Tensor::f_from_slice(&direction).expect("it is a vector");
            if u.arbitrary()? {
                hooks.project_out(at, &direction).expect("it spans")
            } else {
                hooks.keep_only(at, &direction).expect("it spans")
            }
        }
        15 => {
            let (layer, head) = (u.int_in_range(0..=2)?, u.int_in_range(0..=2)?);
            if u.arbitrary()? {
                hooks.skip(layer)
            } else {
                hooks.knock_out(layer, [head], positions(u, shortest)?, positions(u, shortest)?)
            }
        }
        _ => return Ok(()),
    };
    Ok(())
}

fn at(
    site: Site,
    u: &mut Unstructured<'_>,
    shortest: usize,
) -> Result<At<hooked_gpt2::hook::at::Any>> {
    let mut at = At::site(site);
    let (rows, heads, last) = (u.arbitrary()?, u.arbitrary()?, u.arbitrary()?);
    let n_last = u.int_in_range(1..=3)?;
    if rows {
        at = at.positions(positions(u, shortest)?);
    }
    let shape = site.shape();
    let per_head = [SiteShape::Attention, SiteShape::HeadVector, SiteShape::HeadResidual];
    if heads && per_head.contains(&shape) {
        at = at.heads([u.int_in_range(0..=2)?]);
    }
    match shape {
        SiteShape::Attention if last => at = at.keys(positions(u, shortest)?),
        SiteShape::Neurons if last => at = at.neurons(0..n_last * 30),
        SiteShape::Vocabulary if last => at = at.tokens(0..n_last * 30),
        SiteShape::Residual | SiteShape::HeadVector if last => at = at.channels(0..n_last * 2),
        _ => {}
    }
    if u.ratio(1, 16)? {
        at = at.sequences([u.int_in_range(0..=1)?]);
    }
    Ok(at)
}

/// Mostly such as each sequence has.
fn positions(u: &mut Unstructured<'_>, shortest: usize) -> Result<Positions> {
    let len = if u.ratio(1, 64)? { 7 } else { shortest };
    let first = u.int_in_range(0..=len - 1)?;
    Ok(match u.int_in_range(0..=6)? {
        0 => Positions::all(),
        1 => Positions::at(first),
        2 => Positions::range(first..u.int_in_range(first + 1..=len)?),
        3 => Positions::starting_at(first),
        4 => Positions::from_end(first + 1),
        5 => Positions::several([first, 0]),
        _ => Positions::last(),
    })
}
