//! A model of a few kilobytes, of which one file is another one each time.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hooked_gpt2::tch::Device;
use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision};
use safetensors::tensor::{Dtype, TensorView, serialize};
use tempfile::TempDir;

use super::in_words;

/// Room for the bytes of a text, and some pieces of words.
pub const D_VOCAB: usize = 300;

pub const CONFIG: &str = r#"{"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"],
    "activation_function": "gelu_new", "n_embd": 4, "n_head": 2, "n_layer": 2, "n_positions": 8,
    "n_ctx": 8, "n_inner": null, "vocab_size": 300, "layer_norm_epsilon": 1e-5,
    "scale_attn_weights": true, "scale_attn_by_inverse_layer_idx": false,
    "reorder_and_upcast_attn": false, "add_cross_attention": false, "tie_word_embeddings": true,
    "bos_token_id": 0, "eos_token_id": 0, "attn_pdrop": 0.1, "dtype": "float32"}"#;

/// Weights that fit [`CONFIG`].
pub fn weights() -> Vec<u8> {
    let mut shapes: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut named = |name: String, shape: &[usize]| drop(shapes.insert(name, shape.to_vec()));
    named("wte.weight".to_owned(), &[D_VOCAB, 4]);
    named("wpe.weight".to_owned(), &[8, 4]);
    for layer in 0..2 {
        for (module, shape) in [
            ("ln_1", &[4][..]),
            ("attn.c_attn", &[4, 12]),
            ("attn.c_proj", &[4, 4]),
            ("ln_2", &[4]),
            ("mlp.c_fc", &[4, 16]),
            ("mlp.c_proj", &[16, 4]),
        ] {
            named(format!("h.{layer}.{module}.weight"), shape);
            named(format!("h.{layer}.{module}.bias"), &shape[shape.len() - 1..]);
        }
    }
    named("ln_f.weight".to_owned(), &[4]);
    named("ln_f.bias".to_owned(), &[4]);
    let bytes = |shape: &[usize]| -> Vec<u8> {
        let len = shape.iter().product::<usize>();
        (0..len)
            .flat_map(|at| (((at * 37 + shape[0]) % 101) as f32 / 50.0 - 1.0).to_le_bytes())
            .collect()
    };
    let stored: Vec<(String, Vec<usize>, Vec<u8>)> =
        shapes.into_iter().map(|(name, shape)| (name, shape.clone(), bytes(&shape))).collect();
    let views = stored.iter().map(|(name, shape, bytes)| {
        (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).expect("it fits"))
    });
    serialize(views, None).expect("it can be stored")
}

/// Such a model, of which one file is this one.
pub fn with_file(name: &str, content: &[u8], case: impl FnOnce(&Path)) {
    thread_local! {
        // Unlike a static, it is taken away again.
        static DIRECTORY: TempDir = directory();
    }
    DIRECTORY.with(|directory| {
        fs::write(directory.path().join(name), content).expect("it is written");
        case(directory.path());
    });
}

/// A directory of such a model.
pub fn directory() -> TempDir {
    let directory = tempfile::tempdir().expect("there is a place for temporary files");
    fs::write(directory.path().join("config.json"), CONFIG).expect("it is written");
    fs::write(directory.path().join("model.safetensors"), weights()).expect("it is written");
    directory
}

/// Loads and runs the model of a directory, as far as that goes.
pub fn load_and_run(directory: &Path) -> Option<()> {
    let checkpoint = in_words(Checkpoint::directory(directory))?;
    let (model, _) = in_words(Gpt2::load(&checkpoint, Precision::F32, Device::Cpu))?;
    let batch = in_words(Batch::new([vec![1, 2, 0], vec![1]]))?;
    let output = in_words(model.run(&batch).execute())?;
    assert_eq!(output.logits.tensor(0).expect("it is there").size()[0], 3);
    Some(())
}
