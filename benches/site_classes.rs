//! What one hook costs at each class of site: forward passes with a site in the middle scaled.

#[path = "shared/subjects.rs"]
mod subjects;

use criterion::{Criterion, criterion_group, criterion_main};
use hooked_gpt2::hook::{At, Positions, Site};
use hooked_gpt2::intervention::Interventions;
use hooked_gpt2::{Batch, Result};

use subjects::Subject;

fn measure(criterion: &mut Criterion, subject: &Subject) -> Result<()> {
    let model = &subject.model;
    let batch = Batch::single(subject.prompt.as_slice())?;
    let layer = model.config().n_layers / 2;
    let cases: [(&str, Option<Site>); 9] = [
        ("empty registry", None),
        ("residual", Some(Site::resid_post(layer))),
        ("head residual, a fork", Some(Site::q_input(layer))),
        ("head vector", Some(Site::z(layer))),
        ("attention scores", Some(Site::attn_scores(layer))),
        ("attention pattern", Some(Site::pattern(layer))),
        ("neurons", Some(Site::mlp_post(layer))),
        ("per position, a layer norm", Some(Site::ln1_scale(layer))),
        ("vocabulary, at every position", Some(Site::unembed())),
    ];
    let mut group = criterion.benchmark_group(format!("one site/{}", subject.name));
    for (case, site) in cases {
        let mut hooks = Interventions::new();
        if let Some(site) = site {
            hooks.scale(At::site(site), 0.6)?;
        }
        subject.time(&mut group, case, || {
            model.run(&batch).hooks(&hooks).unembed(Positions::last()).execute()
        });
    }
    group.finish();
    Ok(())
}

fn site_classes(criterion: &mut Criterion) {
    subjects::for_each(|subject| measure(criterion, subject));
}

criterion_group!(benches, site_classes);
criterion_main!(benches);
