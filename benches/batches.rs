//! Several sequences in one pass against one after the other: prompts of different lengths, and variants
//! of one prompt with a registry for each.

#[path = "shared/subjects.rs"]
mod subjects;

use criterion::{Criterion, criterion_group, criterion_main};
use hooked_gpt2::hook::{HookRegistry, Positions};
use hooked_gpt2::intervention::LayerScaling;
use hooked_gpt2::{Batch, Result};

use subjects::Subject;

const SEQUENCES: usize = 8;

fn measure(criterion: &mut Criterion, subject: &Subject) -> Result<()> {
    let Subject { name, model, prompt } = subject;
    let mut group = criterion.benchmark_group(format!("{SEQUENCES} sequences/{name}"));

    // The prompt from its end: lengths differ, and texts with them.
    let lengths = (0..SEQUENCES).map(|less| prompt.len().saturating_sub(less).max(1));
    let prompts: Vec<Vec<u32>> = lengths.map(|len| prompt[prompt.len() - len..].to_vec()).collect();
    let together = Batch::new(prompts.clone())?;
    let alone = prompts.into_iter().map(Batch::single).collect::<Result<Vec<_>>>()?;
    let run = |batch| model.run(batch).unembed(Positions::last());
    subject.time(&mut group, "prompts together", || run(&together).execute());
    subject.time(&mut group, "prompts one by one", || {
        alone.iter().try_for_each(|batch| run(batch).execute().map(drop))
    });

    let mut variants = Vec::new();
    for variant in 0..SEQUENCES {
        let mut scaling = LayerScaling::new();
        scaling.insert(variant % model.config().n_layers, 0.6)?;
        variants.push(scaling);
    }
    let registries: Vec<&dyn HookRegistry> =
        variants.iter().map(|scaling| scaling as &dyn HookRegistry).collect();
    let (together, alone) =
        (Batch::new(vec![prompt.as_slice(); SEQUENCES])?, Batch::single(prompt.as_slice())?);
    subject.time(&mut group, "variants together", || {
        run(&together).hooks_for_each(&registries).execute()
    });
    subject.time(&mut group, "variants one by one", || {
        registries.iter().try_for_each(|&hooks| run(&alone).hooks(hooks).execute().map(drop))
    });
    group.finish();
    Ok(())
}

fn batches(criterion: &mut Criterion) {
    subjects::for_each(|subject| measure(criterion, subject));
}

criterion_group!(benches, batches);
criterion_main!(benches);
