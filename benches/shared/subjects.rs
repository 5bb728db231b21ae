//! What is measured: the bundled model, and the checkpoint in the directory that
//! `HOOKED_GPT2_BENCH_MODEL` names, if any; on the device that `HOOKED_GPT2_BENCH_DEVICE` names, if not
//! on the CPU.

use std::hint::black_box;
use std::path::PathBuf;

use criterion::BenchmarkGroup;
use criterion::measurement::WallTime;
use hooked_gpt2::experiment::einstein::EinsteinSweep;
use hooked_gpt2::tch::{Cuda, Device};
use hooked_gpt2::{Checkpoint, Gpt2, Precision, Result, device};

/// A model in f32, and the prompt of the Einstein sweep in its tokens.
pub struct Subject {
    pub name: String,
    pub model: Gpt2,
    pub prompt: Vec<u32>,
}

impl Subject {
    fn new(name: String, checkpoint: &Checkpoint, device: Device) -> Result<Self> {
        let (model, _) = Gpt2::load(checkpoint, Precision::F32, device)?;
        let prompt = checkpoint.tokenizer()?.encode(&EinsteinSweep::default().prompt)?;
        // Measured against earlier times of its own.
        let name = match device {
            Device::Cpu => name,
            _ => format!("{name} on {}", device::name(device)),
        };
        Ok(Self { name, model, prompt })
    }

    /// Times `compute`, with what it leaves the device to do after it returns.
    pub fn time<T>(
        &self,
        group: &mut BenchmarkGroup<'_, WallTime>,
        case: impl Into<String>,
        compute: impl Fn() -> T,
    ) {
        group.bench_function(case, |bencher| {
            bencher.iter(|| {
                let computed = black_box(compute());
                if let Device::Cuda(index) = self.model.device() {
                    Cuda::synchronize(index as i64);
                }
                computed
            });
        });
    }
}

/// Measures one model after the other.
pub fn for_each(mut measure: impl FnMut(&Subject) -> Result<()>) {
    let device = std::env::var("HOOKED_GPT2_BENCH_DEVICE").unwrap_or_else(|_| "cpu".to_owned());
    let device =
        device::parse(&device).unwrap_or_else(|error| panic!("HOOKED_GPT2_BENCH_DEVICE: {error}"));
    let bundled =
        Checkpoint::bundled().and_then(|it| Subject::new("bundled".to_owned(), &it, device));
    measure(&bundled.expect("the bundled model opens")).expect("the bundled model runs");
    if let Some(directory) = std::env::var_os("HOOKED_GPT2_BENCH_MODEL").map(PathBuf::from) {
        let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let named =
            Checkpoint::directory(&directory).and_then(|it| Subject::new(name, &it, device));
        let named = named.expect("HOOKED_GPT2_BENCH_MODEL opens");
        measure(&named).expect("HOOKED_GPT2_BENCH_MODEL runs");
    }
}
