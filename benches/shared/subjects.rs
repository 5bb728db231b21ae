//! What is measured: the bundled model, and the checkpoint in the directory that
//! `HOOKED_GPT2_BENCH_MODEL` names, if any.

use std::path::PathBuf;

use hooked_gpt2::experiment::einstein::EinsteinSweep;
use hooked_gpt2::tch::Device;
use hooked_gpt2::{Checkpoint, Gpt2, Precision, Result};

/// A model in f32 on the CPU, and the prompt of the Einstein sweep in its tokens.
pub struct Subject {
    pub name: String,
    pub model: Gpt2,
    pub prompt: Vec<u32>,
}

impl Subject {
    fn new(name: String, checkpoint: &Checkpoint) -> Result<Self> {
        let (model, _) = Gpt2::load(checkpoint, Precision::F32, Device::Cpu)?;
        let prompt = checkpoint.tokenizer()?.encode(&EinsteinSweep::default().prompt)?;
        Ok(Self { name, model, prompt })
    }
}

/// Measures one model after the other.
pub fn for_each(mut measure: impl FnMut(&Subject) -> Result<()>) {
    let bundled = Checkpoint::bundled().and_then(|it| Subject::new("bundled".to_owned(), &it));
    measure(&bundled.expect("the bundled model opens")).expect("the bundled model runs");
    if let Some(directory) = std::env::var_os("HOOKED_GPT2_BENCH_MODEL").map(PathBuf::from) {
        let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let named = Checkpoint::directory(&directory).and_then(|it| Subject::new(name, &it));
        let named = named.expect("HOOKED_GPT2_BENCH_MODEL opens");
        measure(&named).expect("HOOKED_GPT2_BENCH_MODEL runs");
    }
}
