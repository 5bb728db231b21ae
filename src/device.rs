//! Devices by name, checked before anything is sent there.
//!
//! CUDA is a library of libtorch's own, which is loaded when a device other than the CPU is first asked for:
//! by [`parse`], by [`check`], or by whatever takes a device. libtorch keeps the first answer that it
//! gives itself, so that there is no CUDA device in a process that called [`Device::cuda_if_available`] or
//! [`tch::manual_seed`], or took gradients on the CPU, before that.

mod cuda_library;

use tch::{Cuda, Device};

use crate::error::{Error, Result};

/// The device called `cpu`, `cuda`, `cuda:N` or `mps`.
///
/// # Errors
/// [`Error::UnknownName`] for another word, [`Error::NoSuchDevice`] if libtorch cannot use it here.
pub fn parse(name: &str) -> Result<Device> {
    let unknown = || Error::UnknownName {
        what: "device",
        given: name.to_owned(),
        allowed: "cpu, cuda, cuda:N, mps".to_owned(),
    };
    let device = match name {
        "cpu" => Device::Cpu,
        "cuda" => Device::Cuda(0),
        "mps" => Device::Mps,
        _ => {
            let index = name.strip_prefix("cuda:").ok_or_else(unknown)?;
            Device::Cuda(index.parse().map_err(|_| unknown())?)
        }
    };
    check(device)?;
    Ok(device)
}

/// Checks that libtorch can use `device` on this machine.
///
/// # Errors
/// [`Error::NoSuchDevice`], with the devices that it can use, and why it knows no CUDA device if that is
/// what was asked for.
pub fn check(device: Device) -> Result<()> {
    // The CUDA library takes time and memory, which is not for those to pay who do without it.
    if device == Device::Cpu {
        return Ok(());
    }
    // Before the first question. Where it cannot be loaded, it may be part of the program all the same.
    let cuda = cuda_library::load();
    let available = available();
    if available.contains(&device) {
        return Ok(());
    }
    let has_cuda = available.iter().any(|device| device.is_cuda());
    let reason = (device.is_cuda() && !has_cuda).then(|| why_no_cuda(cuda));
    let names: Vec<String> = available.into_iter().map(name).collect();
    Err(Error::NoSuchDevice { given: name(device), available: names.join(", "), reason })
}

/// The name that [`parse`] takes.
pub fn name(device: Device) -> String {
    match device {
        Device::Cpu => "cpu".to_owned(),
        Device::Cuda(index) => format!("cuda:{index}"),
        Device::Mps => "mps".to_owned(),
        Device::Vulkan => "vulkan".to_owned(),
    }
}

fn available() -> Vec<Device> {
    let mut devices = vec![Device::Cpu];
    if Cuda::is_available() {
        devices.extend((0..Cuda::device_count().max(0) as usize).map(Device::Cuda));
    }
    if tch::utils::has_mps() {
        devices.push(Device::Mps);
    }
    devices
}

fn why_no_cuda(loaded: Result<(), &str>) -> String {
    match loaded {
        Err(reason) => format!("libtorch's CUDA library cannot be loaded: {reason}"),
        Ok(()) if tch::utils::has_cudart() => "libtorch's CUDA library sees no device".to_owned(),
        Ok(()) => {
            "libtorch was asked about CUDA, or for gradients, before its CUDA library was loaded"
                .to_owned()
        }
    }
}
