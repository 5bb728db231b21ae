//! What a sweep takes, and one plain run for each of its variants.

use std::error::Error;
use std::time::Instant;

use hooked_gpt2::hook::Positions;
use hooked_gpt2::sweep::{Loss, Results, Sweep};
use hooked_gpt2::{Batch, Gpt2};

use crate::cases::Case;

/// Whatever is measured of the logits, both ways must find the same.
const METRIC: &str = "loss";
const TARGET: u32 = 0;
const AGREEMENT: f64 = 1e-3;
/// Plain passes before, between and after the two ways, of which the median is the unit.
const PLAIN_PASSES: usize = 3;

/// One sweep, measured. Times are in plain forward passes of the same model and prompt.
pub struct Point {
    pub at: usize,
    pub n_variants: usize,
    pub one_run_each: f64,
    pub sweep: f64,
    pub block_rows: usize,
    pub naive_block_rows: usize,
    pub passes: usize,
}

/// Both ways in turn, `rounds` times after warming up: medians of each round's ratios.
pub fn measure(model: &Gpt2, case: &Case, rounds: u16) -> Result<Point, Box<dyn Error>> {
    let plan = Sweep::new(model, &case.batch).plan(&case.variants)?;
    let metric = Loss::of(TARGET);
    plain(model, &case.batch)?;
    plan.measure(&[&metric])?;
    let (mut one_run_each, mut sweep) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let mut unit = plain(model, &case.batch)?;
        let (isolated_found, isolated) = timed(|| plan.measure_isolated(&[&metric]))?;
        unit.extend(plain(model, &case.batch)?);
        let (found, together) = timed(|| plan.measure(&[&metric]))?;
        unit.extend(plain(model, &case.batch)?);
        agree(&isolated_found, &found)?;
        let unit = median(unit);
        one_run_each.push(isolated / unit);
        sweep.push(together / unit);
    }
    Ok(Point {
        at: case.at,
        n_variants: case.variants.n_points(),
        one_run_each: median(one_run_each),
        sweep: median(sweep),
        block_rows: plan.block_rows(),
        naive_block_rows: plan.naive_block_rows(),
        passes: plan.n_passes(),
    })
}

/// Seconds of some plain passes, unembedded where the sweeps are read.
fn plain(model: &Gpt2, batch: &Batch) -> hooked_gpt2::Result<Vec<f64>> {
    let pass = || model.run(batch).unembed(Positions::last()).execute();
    (0..PLAIN_PASSES).map(|_| timed(pass).map(|(_, seconds)| seconds)).collect()
}

fn timed<T>(run: impl FnOnce() -> hooked_gpt2::Result<T>) -> hooked_gpt2::Result<(T, f64)> {
    let begun = Instant::now();
    let done = run()?;
    Ok((done, begun.elapsed().as_secs_f64()))
}

fn agree(one: &Results, other: &Results) -> Result<(), Box<dyn Error>> {
    let (one, other) = (one.values(METRIC)?, other.values(METRIC)?);
    let differences = one.iter().zip(other.iter()).map(|(one, other)| (one - other).abs());
    let largest = differences.fold(0.0, f64::max);
    if largest > AGREEMENT {
        return Err(format!("both ways must find the same, and they differ by {largest}").into());
    }
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { values[middle - 1].midpoint(values[middle]) }
}
