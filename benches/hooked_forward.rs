//! What hooks cost: forward passes over the prompt of the Einstein sweep, plain and hooked.
//!
//! On the bundled model, and on the checkpoint in the directory that `HOOKED_GPT2_BENCH_MODEL`
//! names, if any.

use std::hint::black_box;
use std::path::PathBuf;

use criterion::{Criterion, criterion_group, criterion_main};
use hooked_gpt2::experiment::einstein::EinsteinSweep;
use hooked_gpt2::hook::{HookRegistry, NoHooks, Positions, Site};
use hooked_gpt2::intervention::LayerScaling;
use hooked_gpt2::tch::Device;
use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, Result};

fn scaling(layers: impl IntoIterator<Item = usize>) -> Result<LayerScaling> {
    let mut scaling = LayerScaling::new();
    for layer in layers {
        scaling.insert(layer, 0.6)?;
    }
    Ok(scaling)
}

fn bench_model(criterion: &mut Criterion, name: &str, checkpoint: &Checkpoint) -> Result<()> {
    let (model, _) = Gpt2::load(checkpoint, Precision::F32, Device::Cpu)?;
    let batch = Batch::single(checkpoint.tokenizer()?.encode(&EinsteinSweep::default().prompt)?)?;
    let n_layers = model.config().n_layers;
    let (empty, one, all) = (scaling([])?, scaling([2])?, scaling(0..n_layers)?);
    let one_site = vec![Site::resid_post(2)];
    let all_sites: Vec<Site> = (0..n_layers).map(Site::resid_post).collect();

    let cases: [(&str, &dyn HookRegistry, &[Site]); 6] = [
        ("plain", &NoHooks, &[]),
        ("empty registry", &empty, &[]),
        ("one layer scaled", &one, &[]),
        ("all layers scaled", &all, &[]),
        ("one resid_post captured", &NoHooks, &one_site),
        ("all resid_post captured", &NoHooks, &all_sites),
    ];
    let mut group = criterion.benchmark_group(name);
    for (case, hooks, capture) in cases {
        group.bench_function(case, |bencher| {
            bencher.iter(|| {
                let run = model.run(&batch).hooks(hooks).capture(capture.iter().copied());
                black_box(run.unembed(Positions::last()).execute()).map(|output| output.logits)
            });
        });
    }
    group.finish();
    Ok(())
}

fn hooked_forward(criterion: &mut Criterion) {
    let bundled = Checkpoint::bundled().expect("the bundled model opens");
    bench_model(criterion, "bundled", &bundled).expect("the bundled model runs");
    if let Some(directory) = std::env::var_os("HOOKED_GPT2_BENCH_MODEL").map(PathBuf::from) {
        let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let checkpoint = Checkpoint::directory(&directory).expect("HOOKED_GPT2_BENCH_MODEL opens");
        bench_model(criterion, &name, &checkpoint).expect("HOOKED_GPT2_BENCH_MODEL runs");
    }
}

criterion_group!(benches, hooked_forward);
criterion_main!(benches);
