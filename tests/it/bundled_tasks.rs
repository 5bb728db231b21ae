//! What the bundled model's card says that it can do.

use hooked_gpt2::data::{Bos, Task};
use hooked_gpt2::tch::Device;
use hooked_gpt2::{Checkpoint, Gpt2, Precision};

/// The share of prompts after which a right answer is likelier than every wrong one, and than every token.
fn shares(model: &Gpt2, checkpoint: &Checkpoint, task: Task, bos: Bos) -> [f64; 2] {
    let prompts =
        task.prompts(200, 7, checkpoint.tokenizer().unwrap(), model.config(), bos).unwrap();
    let output = model.run(&prompts.batch().unwrap()).execute().unwrap();
    let (right, wrong) = (prompts.right().unwrap(), prompts.wrong().unwrap());
    let mut found = [0.0; 2];
    for sequence in 0..prompts.len() {
        let logits = output.logits.last(sequence).unwrap();
        let most = |tokens: &[u32]| {
            tokens.iter().map(|&token| logits[token as usize]).fold(f64::NEG_INFINITY, f64::max)
        };
        let best = most(&right[sequence]);
        let likeliest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        found[0] += f64::from(best > most(&wrong[sequence])) / prompts.len() as f64;
        found[1] += f64::from(best == likeliest) / prompts.len() as f64;
    }
    found
}

#[test]
fn the_bundled_model_does_the_tasks_that_it_was_trained_to_do() {
    let checkpoint = Checkpoint::bundled().unwrap();
    let (model, _) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu).unwrap();
    for bos in [Bos::Omit, Bos::Prepend] {
        for task in [
            Task::IndirectObject,
            Task::GreaterThan,
            Task::Pronouns,
            Task::Agreement,
            Task::Induction { period: 30 },
        ] {
            let [right, likeliest] = shares(&model, &checkpoint, task, bos);
            assert!(right >= 0.9, "{task}, {bos}: {right}");
            // Of random tokens, being likelier than one other says little.
            let least = if matches!(task, Task::Induction { .. }) { 0.9 } else { 0.5 };
            assert!(likeliest >= least, "{task}, {bos}: {likeliest}");
        }
        // The pronoun that goes with most of an occupation, which training gave it as often as the statistics do.
        let [right, _] = shares(&model, &checkpoint, Task::Occupations, bos);
        assert!(right >= 0.75, "occupations, {bos}: {right}");
    }
}
