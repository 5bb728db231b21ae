//! Which devices are refused and why, and what asking for one loads.

use hooked_gpt2::hook::At;
use hooked_gpt2::intervention::Interventions;
use hooked_gpt2::tch::{Device, Kind, Tensor};
use hooked_gpt2::{Error, Precision, device};

use crate::support::{largest_difference, single, tiny, tiny_on};
use crate::tolerance;

/// The devices that there are, and why there is no CUDA device if there is none.
fn refused(device: Device) -> (String, Option<String>) {
    match device::check(device) {
        Err(Error::NoSuchDevice { available, reason, .. }) => (available, reason),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_cuda_device_is_refused_with_a_reason_unless_there_are_others() {
    let (available, reason) = refused(Device::Cuda(99));
    assert_eq!(reason.is_none(), available.contains("cuda"), "{available}, {reason:?}");
    if let Some(reason) = reason {
        let message = device::parse("cuda:99").unwrap_err().to_string();
        let expected =
            format!("device `cuda:99` is not available ({reason}), available: {available}");
        assert_eq!(message, expected);
        assert_eq!(message.lines().count(), 1, "{message}");
        assert!(reason.starts_with("libtorch"), "{reason}");
    }
    assert_eq!(refused(Device::Vulkan), (available, None));
}

/// What the dynamic loader of a program that computes on `device` opens, by its own account, and what the
/// program says.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn opened_for(device: &str) -> (String, String) {
    let accounts = tempfile::tempdir().unwrap();
    let account = accounts.path().join("account");
    let tiny = crate::support::fixtures().join("tiny");
    let output = crate::support::conformance_example(
        &[("LD_DEBUG", "files"), ("LD_DEBUG_OUTPUT", account.to_str().unwrap())],
        &["--model", tiny.to_str().unwrap(), "--device", device],
    );
    // The loader appends the number of the process to the name.
    let written = std::fs::read_dir(accounts.path()).unwrap().next().unwrap().unwrap();
    let account = std::fs::read(written.path()).unwrap();
    (String::from_utf8_lossy(&account).into_owned(), String::from_utf8(output.stderr).unwrap())
}

#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn the_cuda_library_is_loaded_for_a_cuda_device_and_not_for_the_cpu() {
    let (opened, _) = opened_for("cpu");
    assert!(opened.contains("/libtorch_cpu.so") && !opened.contains("/libtorch_cuda.so"));
    let (opened, said) = opened_for("cuda");
    assert_ne!(opened.contains("/libtorch_cuda.so"), said.contains("built without CUDA"), "{said}");
    assert!(!said.contains("asked about CUDA"), "{said}");
}

#[test]
fn tensors_are_loaded_onto_a_device_that_there_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("edits.toml");
    Interventions::new().save(&path).unwrap();
    let error = Interventions::load_onto(&path, Device::Cuda(99)).unwrap_err();
    assert!(matches!(error, Error::NoSuchDevice { .. }), "{error}");
}

#[test]
#[ignore = "needs a CUDA device, and a libtorch that knows it"]
fn tensors_loaded_onto_a_gpu_change_a_run_there_as_they_do_on_the_cpu() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("edits.toml");
    let direction = Tensor::arange(24, (Kind::Double, Device::Cpu)).cos();
    let mut hooks = Interventions::new();
    hooks.steer(At::resid_post(1), &direction, 8.0).unwrap();
    hooks.save(&path).unwrap();
    let batch = single(&[3, 14, 15, 92, 65]);
    let [on_gpu, on_cpu] = [Device::Cuda(0), Device::Cpu].map(|device| {
        let hooks = Interventions::load_onto(&path, device).unwrap();
        let model = tiny_on(device, Precision::F64);
        let output = model.run(&batch).hooks(&hooks).execute().unwrap();
        output.logits.tensor(0).unwrap().to_device(Device::Cpu)
    });
    assert!(largest_difference(&on_gpu, &on_cpu) <= tolerance::F64);
    let plain = tiny(Precision::F64).run(&batch).execute().unwrap();
    assert!(largest_difference(&on_cpu, plain.logits.tensor(0).unwrap()) > 0.1);
}
