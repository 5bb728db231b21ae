//! Interventions in words, TOML or JSON.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use hooked_gpt2::hook::{At, Positions, Site};
use hooked_gpt2::intervention::{Clamp, Interventions, Noise, Shuffle};
use hooked_gpt2::tch::{Device, Kind, Tensor};
use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, Result};
use rand::Rng;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{in_words, json, model};

struct Saved {
    directory: TempDir,
    model: Gpt2,
}

thread_local! {
    // Unlike a static, it is taken away again.
    static SAVED: Saved = Saved::new();
}

impl Saved {
    fn new() -> Self {
        let directory = model::directory();
        let checkpoint = Checkpoint::directory(directory.path()).expect("it is there");
        let (model, _) = Gpt2::load(&checkpoint, Precision::F64, Device::Cpu).expect("it is whole");
        for file in ["edits.toml", "edits.json"] {
            let hooks = everything(&model).expect("they fit");
            hooks.save(directory.path().join(file)).expect("they are built in");
        }
        Self { directory, model }
    }

    fn case(&self, text: &[u8]) {
        let is_json = serde_json::from_slice::<Value>(text).is_ok();
        let path = self.directory.path().join(if is_json { "edits.json" } else { "edits.toml" });
        fs::write(&path, text).expect("it is written");
        let Some(hooks) = in_words(Interventions::load(&path)) else { return };
        for file in ["again.toml", "again.json"] {
            let again = self.directory.path().join(file);
            if in_words(hooks.save(&again)).is_some() {
                assert_eq!(saved_and_loaded(&again), format!("{hooks:?}"));
            }
        }
        let batch = Batch::new([vec![1, 2, 0], vec![1]]).expect("two sequences");
        in_words(self.model.run(&batch).hooks(&hooks).execute());
    }
}

/// Every edit that can be saved.
fn everything(model: &Gpt2) -> Result<Interventions> {
    let vector = Tensor::f_from_slice(&[1.0, -2.0, 0.5, 0.0])?.f_to_kind(Kind::Double)?;
    let mut hooks = Interventions::new();
    hooks.scale(At::resid_post(0), 0.5)?;
    hooks.set(At::resid_pre(1).positions(Positions::at(1)), &vector)?;
    hooks.steer(At::mlp_out(0).positions(Positions::last()), &vector, 2.0)?;
    hooks.interpolate(At::attn_out(1).positions(Positions::range(0..2)), &vector, 0.25)?;
    hooks.noise(At::embed(), Noise::gaussian(0.5, 1)?);
    hooks.noise(At::z(0).heads([1]), Noise::uniform(0.5, u64::MAX)?);
    hooks.shuffle(At::mlp_post(1).neurons([1, 2, 3]), Shuffle::channels(1));
    hooks.shuffle(At::v(1).positions(Positions::starting_at(1)), Shuffle::positions(2));
    hooks.project_out(At::resid_mid(0), &vector)?;
    let directions = Tensor::f_stack(&[&vector, &vector.f_square()?], 0)?;
    hooks.keep_only(At::mlp_in(1), &directions)?;
    hooks.clamp(At::mlp_pre(0), Clamp::at_most(0.5)?);
    hooks.clamp(At::q(1), Clamp::between(-1.0, 1.0)?);
    let means = model.run(&Batch::new([[1, 2, 0], [0, 0, 1]])?).mean_by_position([Site::k(0)])?;
    hooks.mean_ablate(At::k(0).heads([1]), &means)?;
    let means = model.run(&Batch::single([2, 1])?).mean_over_tokens([Site::ln2_scale(0)])?;
    hooks.mean_ablate(At::ln2_scale(0), &means)?;
    hooks.knock_out(0, [0], Positions::last(), Positions::several([0, 1]));
    hooks.zero(At::unembed().tokens([3]).sequences([0]));
    Ok(hooks)
}

pub fn seeds() -> Vec<Vec<u8>> {
    SAVED.with(|saved| {
        let read = |file| fs::read(saved.directory.path().join(file)).expect("it was saved");
        vec![read("edits.json"), read("edits.toml"), br#"{"skip": [1]}"#.to_vec()]
    })
}

pub fn mutated(text: &[u8], random: &mut impl Rng) -> Vec<u8> {
    static PARTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
        [
            json!({"skip": [0, 1, 2]}),
            json!({"scale": {"factor": 3.5e38}}),
            json!({"set": {"value": "hook.1.value"}}),
            json!({"mean_by_position": {"mean": "hook.1"}}),
            json!({"project_out": {"directions": "hook.2"}}),
            json!({"clamp": {"lower": -1}}),
            json!({"clamp": {}}),
            json!("blocks.0.hook_resid_mid"),
            json!("blocks.1.attn.hook_pattern"),
            json!("unembed"),
            json!("last"),
            json!({"from_end": 0}),
            json!({"starting_at": 9}),
            json!([1, 1, 0]),
            json!("18446744073709551615"),
        ]
        .to_vec()
    });
    json::mutated(text, &PARTS, random)
}

/// What is loaded is saved and loaded again as the same, and runs; or it is said in words why not.
pub fn case(text: &[u8]) {
    SAVED.with(|saved| saved.case(text));
}

fn saved_and_loaded(path: &Path) -> String {
    format!("{:?}", Interventions::load(path).expect("what was saved is loaded"))
}
