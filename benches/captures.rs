//! What capturing everything costs, in time and in memory.

#[path = "shared/subjects.rs"]
mod subjects;

use std::collections::HashSet;

use criterion::{Criterion, criterion_group, criterion_main};
use hooked_gpt2::Activations;
use hooked_gpt2::hook::Site;
use hooked_gpt2::{Batch, Result};

use subjects::Subject;

/// The bytes that activations hold, those that several sites share once.
fn bytes(activations: &Activations) -> Result<usize> {
    let mut seen = HashSet::new();
    let mut bytes = 0;
    for site in activations.sites() {
        let tensor = activations.get(site, 0)?;
        // The forks are views of the residual stream, which comes before them.
        if seen.insert(tensor.data_ptr()) {
            bytes += tensor.numel() * tensor.f_kind()?.elt_size_in_bytes();
        }
    }
    Ok(bytes)
}

fn measure(criterion: &mut Criterion, subject: &Subject) -> Result<()> {
    let model = &subject.model;
    let batch = Batch::single(subject.prompt.as_slice())?;
    let n_layers = model.config().n_layers;
    let everything: Vec<Site> = Site::all(n_layers).collect();
    let stream: Vec<Site> = (0..n_layers).map(Site::resid_post).collect();
    let cases: [(&str, &[Site]); 3] = [
        ("nothing captured", &[]),
        ("every resid_post captured", &stream),
        ("everything captured", &everything),
    ];
    let mut group = criterion.benchmark_group(format!("captures/{}", subject.name));
    for (case, sites) in cases {
        let run = || model.run(&batch).capture(sites.iter().copied()).execute();
        let held = bytes(&run()?.activations)?;
        println!("{}, {case}: {held} bytes held, {} tokens", subject.name, subject.prompt.len());
        subject.time(&mut group, case, run);
    }
    group.finish();
    Ok(())
}

fn captures(criterion: &mut Criterion) {
    subjects::for_each(|subject| measure(criterion, subject));
}

criterion_group!(benches, captures);
criterion_main!(benches);
