//! The side of this crate in the comparison with its peers: `compare.py` starts it, names a task a line
//! on its standard input, and reads what it took and what it found, a line of JSON each.

use std::error::Error;
use std::io::{BufRead, Write};
use std::time::Instant;

use hooked_gpt2::hook::{At, Positions, Site};
use hooked_gpt2::intervention::{Interventions, LayerScaling};
use hooked_gpt2::sweep::{Axis, LogitDifference, Loss, Metric, Plan, Sweep, Variants};
use hooked_gpt2::tch::{Device, Kind, Tensor};
use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision};

/// As `compare.py` has them.
const FACTOR: f64 = 0.6;
const TARGET: u32 = 1000;
const WRONG: u32 = 2000;

fn tokens(len: usize) -> Vec<u32> {
    (0..len as u32).map(|place| (place * 7919 + 13) % 50257).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("the directory of a checkpoint is needed")?;
    let checkpoint = Checkpoint::directory(directory)?;
    let (model, _) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
    for task in std::io::stdin().lock().lines() {
        let task = task?;
        let begun = Instant::now();
        let Done { values, extra } = run(&model, &task)?;
        let seconds = begun.elapsed().as_secs_f64();
        let line = serde_json::json!({ "seconds": seconds, "values": values, "extra": extra });
        writeln!(std::io::stdout(), "{line}")?;
    }
    Ok(())
}

#[derive(Default)]
struct Done {
    values: Vec<f64>,
    extra: serde_json::Value,
}

fn run(model: &Gpt2, task: &str) -> Result<Done, Box<dyn Error>> {
    let (n_layers, n_heads) = (model.config().n_layers, model.config().n_heads);
    let (name, len) = task.split_once(' ').ok_or("a task and a number of tokens are needed")?;
    let len: usize = len.parse()?;
    if name == "product" {
        return Ok(product(len as i64)?);
    }
    let batch = Batch::single(tokens(len))?;
    match name {
        "forward" => {
            let output = model.run(&batch).unembed(Positions::last()).execute()?;
            Ok(Done { values: output.logits.last(0)?.to_vec(), ..Done::default() })
        }
        "layers" => {
            let axes = [Axis::counting("layer", n_layers)];
            let variants = Variants::over(
                axes,
                |index, _| {
                    let mut scaling = LayerScaling::new();
                    scaling.insert(index[0], FACTOR)?;
                    Ok(scaling)
                },
                &batch,
            )?;
            measured(&Sweep::new(model, &batch).plan(&variants)?, &Loss::of(TARGET))
        }
        "heads" => {
            let axes = [Axis::counting("layer", n_layers), Axis::counting("head", n_heads)];
            let variants = Variants::over(
                axes,
                |index, _| {
                    let mut hooks = Interventions::new();
                    hooks.zero(At::z(index[0]).heads([index[1]]));
                    Ok(hooks)
                },
                &batch,
            )?;
            measured(&Sweep::new(model, &batch).plan(&variants)?, &Loss::of(TARGET))
        }
        "grid" => {
            let mut corrupted = tokens(len);
            corrupted[3] = 500;
            let corrupted = Batch::single(corrupted)?;
            let sites = (0..n_layers).map(Site::resid_pre);
            let clean = model.run(&batch).capture(sites).without_logits().execute()?.activations;
            let axes = [Axis::counting("layer", n_layers), Axis::counting("position", len)];
            let variants = Variants::over(
                axes,
                |index, _| {
                    let value = clean.get(Site::resid_pre(index[0]), 0)?.f_get(index[1] as i64)?;
                    let mut hooks = Interventions::new();
                    let at = At::resid_pre(index[0]).positions(Positions::at(index[1]));
                    hooks.set(at, &value)?;
                    Ok(hooks)
                },
                &corrupted,
            )?;
            let plan = Sweep::new(model, &corrupted).plan(&variants)?;
            measured(&plan, &LogitDifference::of(TARGET, WRONG))
        }
        _ => Err(format!("no task is called {name}").into()),
    }
}

fn measured(plan: &Plan<'_>, metric: &dyn Metric) -> Result<Done, Box<dyn Error>> {
    let before = forget_peak_memory();
    let results = plan.measure(&[metric])?;
    let peak = memory("VmHWM:").zip(before).map(|(peak, before)| peak.saturating_sub(before));
    let values = results.values(metric.name())?.iter().copied().collect();
    let extra = serde_json::json!({
        "flops": plan.flops(),
        "predicted_bytes": plan.peak_bytes(),
        "measured_bytes": peak,
        "passes": plan.n_passes(),
        "rows": plan.block_rows(),
        "naive_rows": plan.naive_block_rows(),
    });
    Ok(Done { values, extra })
}

/// A figure of this process's memory, in bytes, where the system tells.
fn memory(name: &str) -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()? * 1024)
}

/// Lets the peak begin anew at what is held now, which it gives.
fn forget_peak_memory() -> Option<usize> {
    std::fs::write("/proc/self/clear_refs", "5").ok()?;
    memory("VmRSS:")
}

/// A product of square matrices in f32: what the machine can do.
fn product(side: i64) -> hooked_gpt2::Result<Done> {
    let options = (Kind::Float, Device::Cpu);
    let (a, b) = (Tensor::f_randn([side, side], options)?, Tensor::f_randn([side, side], options)?);
    let begun = Instant::now();
    let sum = a.f_matmul(&b)?.f_sum(Kind::Double)?.f_double_value(&[])?;
    let flops = 2.0 * (side as f64).powi(3) / begun.elapsed().as_secs_f64();
    Ok(Done { values: vec![sum], extra: serde_json::json!({ "flops_per_second": flops }) })
}
