//! Devices by name, checked before anything is sent there.

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
/// [`Error::NoSuchDevice`], with the devices that it can use.
pub fn check(device: Device) -> Result<()> {
    let available = available();
    if available.contains(&device) {
        return Ok(());
    }
    let names: Vec<String> = available.into_iter().map(name).collect();
    Err(Error::NoSuchDevice { given: name(device), available: names.join(", ") })
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
