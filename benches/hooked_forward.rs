//! What hooks cost by their number: forward passes over the prompt of the Einstein sweep.

#[path = "shared/subjects.rs"]
mod subjects;

use criterion::{Criterion, criterion_group, criterion_main};
use hooked_gpt2::hook::{HookRegistry, NoHooks, Positions, Site};
use hooked_gpt2::intervention::LayerScaling;
use hooked_gpt2::{Batch, Result};

use subjects::Subject;

fn scaling(layers: impl IntoIterator<Item = usize>) -> Result<LayerScaling> {
    let mut scaling = LayerScaling::new();
    for layer in layers {
        scaling.insert(layer, 0.6)?;
    }
    Ok(scaling)
}

fn measure(criterion: &mut Criterion, subject: &Subject) -> Result<()> {
    let model = &subject.model;
    let batch = Batch::single(subject.prompt.as_slice())?;
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
    let mut group = criterion.benchmark_group(format!("hooks/{}", subject.name));
    for (case, hooks, capture) in cases {
        subject.time(&mut group, case, || {
            let run = model.run(&batch).hooks(hooks).capture(capture.iter().copied());
            run.unembed(Positions::last()).execute()
        });
    }
    group.finish();
    Ok(())
}

fn hooked_forward(criterion: &mut Criterion) {
    subjects::for_each(|subject| measure(criterion, subject));
}

criterion_group!(benches, hooked_forward);
criterion_main!(benches);
