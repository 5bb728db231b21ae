//! Fixtures and models that several tests use.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use hooked_gpt2::error::{CaptureError, HookError};
use hooked_gpt2::hook::At;
use hooked_gpt2::hook::at::Residual;
use hooked_gpt2::tch::{Device, Kind, Tensor};
use hooked_gpt2::{Batch, Checkpoint, Error, Gpt2, Precision};
use safetensors::tensor::{Dtype, TensorView, serialize_to_file};

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// Reference tensors, by name.
pub struct Reference(HashMap<String, Tensor>);

impl Reference {
    pub fn of(checkpoint: &Path) -> Self {
        Self::read(&checkpoint.join("reference.safetensors"))
    }

    pub fn read(path: &Path) -> Self {
        Self(Tensor::read_safetensors(path).unwrap().into_iter().collect())
    }

    pub fn tensor(&self, name: &str) -> &Tensor {
        self.0.get(name).unwrap_or_else(|| panic!("the fixture has no {name}"))
    }

    pub fn tokens(&self, name: &str) -> Vec<u32> {
        let ids = Vec::<i64>::try_from(self.tensor(name)).unwrap();
        ids.into_iter().map(|id| id as u32).collect()
    }
}

pub fn load(checkpoint: &Path, precision: Precision) -> Gpt2 {
    load_onto(checkpoint, precision, Device::Cpu)
}

fn load_onto(checkpoint: &Path, precision: Precision, device: Device) -> Gpt2 {
    let checkpoint = Checkpoint::directory(checkpoint).unwrap();
    Gpt2::load(&checkpoint, precision, device).unwrap().0
}

pub fn tiny(precision: Precision) -> Gpt2 {
    tiny_on(Device::Cpu, precision)
}

pub fn tiny_on(device: Device, precision: Precision) -> Gpt2 {
    load_onto(&fixtures().join("tiny"), precision, device)
}

/// The five places of the residual stream and what is added to it, in execution order.
pub fn residual_sites(layer: usize) -> [At<Residual>; 5] {
    [
        At::resid_pre(layer),
        At::attn_out(layer),
        At::resid_mid(layer),
        At::mlp_out(layer),
        At::resid_post(layer),
    ]
}

pub fn single(tokens: &[u32]) -> Batch {
    Batch::single(tokens).unwrap()
}

/// Why a hook or a capture was refused.
#[track_caller]
pub fn reason(error: &Error) -> &Error {
    match error {
        Error::Hook(HookError::OfSequence { source, .. }) => reason(source),
        Error::Hook(HookError::Refused { reason, .. })
        | Error::Capture(CaptureError::Refused { reason, .. }) => reason,
        _ => panic!("{error}"),
    }
}

/// An error and its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    error.source().map_or(error.to_string(), |cause| format!("{error}: {}", chain(cause)))
}

/// That an error is fit to be shown, whatever a file had in it: one line, not longer than a reader would read, and
/// nothing that moves a cursor.
#[track_caller]
pub fn assert_one_line(error: &dyn std::error::Error) {
    let text = chain(error);
    assert!(!text.chars().any(char::is_control), "{text:?}");
    assert!(text.len() < 1000, "{} bytes: {text:.200}…", text.len());
}

/// The largest difference of two tensors of one shape.
#[track_caller]
pub fn largest_difference(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    (a.to_kind(Kind::Double) - b.to_kind(Kind::Double)).abs().max().double_value(&[])
}

pub fn largest(tensor: &Tensor) -> f64 {
    tensor.to_kind(Kind::Double).abs().max().double_value(&[])
}

#[track_caller]
pub fn assert_identical(a: &Tensor, b: &Tensor) {
    assert!(a.equal(b), "tensors differ by up to {}", largest_difference(a, b));
}

/// Copies the files of a fixture into a directory of its own, to be damaged.
pub fn copy_of(checkpoint: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(checkpoint).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

/// A checkpoint with its configuration changed.
pub fn with_config(
    checkpoint: &Path,
    change: impl Fn(&mut serde_json::Map<String, serde_json::Value>),
) -> tempfile::TempDir {
    let copy = copy_of(checkpoint);
    let path = copy.path().join("config.json");
    let mut config: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(config.as_object_mut().unwrap());
    std::fs::write(&path, config.to_string()).unwrap();
    copy
}

/// A tensor as a safetensors file holds it.
#[derive(Clone)]
pub struct Stored {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub data: Vec<u8>,
}

/// The content of a safetensors file, to be changed and written again.
pub fn stored_tensors(path: &Path) -> HashMap<String, Stored> {
    let content = std::fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&content).unwrap();
    let stored = |view: TensorView<'_>| Stored {
        dtype: view.dtype(),
        shape: view.shape().to_vec(),
        data: view.data().to_vec(),
    };
    file.tensors().into_iter().map(|(name, view)| (name, stored(view))).collect()
}

pub fn write_stored(path: &Path, tensors: &HashMap<String, Stored>) {
    let views = tensors.iter().map(|(name, Stored { dtype, shape, data })| {
        (name, TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    serialize_to_file(views, None, path).unwrap();
}

/// The names of what a directory holds, sorted.
pub fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The only file of tensors in the directory of a text.
#[track_caller]
pub fn tensors_beside(text: &Path) -> PathBuf {
    let directory = text.parent().unwrap();
    let mut tensors = names(directory);
    tensors.retain(|name| name.ends_with(".safetensors"));
    let [name] = &tensors[..] else { panic!("{tensors:?}") };
    directory.join(name)
}

/// A process that is killed when the value goes.
pub struct Killed(pub Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One test of this program, in a process of its own.
pub fn this_test(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--ignored", "--nocapture"]).stdout(Stdio::null());
    command
}

/// An example, which `cargo test` builds beside the tests.
pub fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    profile.join("examples").join(name)
}

/// Runs the `einstein_sweep` example, deaf to the hub and the cache of whoever runs the tests.
pub fn einstein_sweep(environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    run_example("einstein_sweep", environment, arguments)
}

/// Runs the `conformance` example in the same way.
pub fn conformance_example(environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    run_example("conformance", environment, arguments)
}

/// Runs any example in the same way.
pub fn run_example(name: &str, environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    Command::new(example(name))
        .env_remove("HF_HUB_CACHE")
        .env_remove("HF_HUB_OFFLINE")
        .env_remove("HF_TOKEN")
        .env_remove("HF_TOKEN_PATH")
        .env_remove("OMP_WAIT_POLICY")
        .env_remove("GOMP_SPINCOUNT")
        .env("HF_HOME", home.path())
        .env("HF_ENDPOINT", "http://127.0.0.1:9")
        .envs(environment.iter().copied())
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", example(name).display()))
}
