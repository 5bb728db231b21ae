#![no_main]

#[path = "../../tests/it/fuzzed/mod.rs"]
#[allow(dead_code)]
mod fuzzed;
mod mutator;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzed::original_tokenizer::case(bytes));

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let seeds = fuzzed::original_tokenizer::seeds;
    mutator::mutate(data, size, max_size, seed, seeds, fuzzed::original_tokenizer::mutated)
});
