#![no_main]

#[path = "../../tests/it/fuzzed/mod.rs"]
#[allow(dead_code)]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzed::sweeps::case(bytes));
