//! What a sweep costs: planning it, running it, and one plain run for each variant instead.

#[path = "shared/subjects.rs"]
mod subjects;

use criterion::{Criterion, criterion_group, criterion_main};
use hooked_gpt2::hook::Site;
use hooked_gpt2::sweep::{Loss, Replacement, Sweep, Variants};
use hooked_gpt2::{Batch, Result};

use subjects::Subject;

fn measure(criterion: &mut Criterion, subject: &Subject) -> Result<()> {
    let Subject { name, model, prompt } = subject;
    let batch = &Batch::single(prompt.as_slice())?;
    let config = model.config();
    let sites = (0..config.n_layers).map(Site::resid_pre);
    let kept = model.run(batch).capture(sites).without_logits().execute()?.activations;
    let other = Replacement::Resample(&kept);
    let cases = [
        ("layers scaled", Variants::layer_factors(0..config.n_layers, &[0.6], batch)?),
        ("blocks skipped", Variants::skipped_blocks(config, batch)?),
        ("heads ablated", Variants::ablated_heads(config, Replacement::Zero, batch)?),
        ("positions patched", Variants::patched_positions(config, Site::resid_pre, other, batch)?),
    ];
    let mut group = criterion.benchmark_group(format!("{name} sweeps"));
    group.sample_size(10);
    for (case, variants) in &cases {
        subject.time(&mut group, format!("{case}, planned"), || {
            Sweep::new(model, batch).plan(variants).map(|plan| plan.n_passes())
        });
        let plan = Sweep::new(model, batch).plan(variants)?;
        subject.time(&mut group, format!("{case}, run"), || plan.measure(&[&Loss::of(0)]));
    }
    let plan = Sweep::new(model, batch).plan(&cases[0].1)?;
    subject
        .time(&mut group, "layers scaled, one run each", || plan.measure_isolated(&[&Loss::of(0)]));
    group.finish();
    Ok(())
}

fn sweeps(criterion: &mut Criterion) {
    subjects::for_each(|subject| measure(criterion, subject));
}

criterion_group!(benches, sweeps);
criterion_main!(benches);
