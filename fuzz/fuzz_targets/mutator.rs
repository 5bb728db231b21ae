//! How libFuzzer comes from one file to the next.

use libfuzzer_sys::fuzzer_mutate;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Bytes that libFuzzer changes itself, with its dictionary, or a document that stays nearly one; now and then one
/// of `seeds`, with which it all begins.
pub fn mutate(
    data: &mut [u8],
    size: usize,
    max_size: usize,
    seed: u32,
    seeds: impl Fn() -> Vec<Vec<u8>>,
    mutated: impl Fn(&[u8], &mut ChaCha8Rng) -> Vec<u8>,
) -> usize {
    let mut random = ChaCha8Rng::seed_from_u64(seed.into());
    let is_new = size == 0 || random.random_ratio(1, 64);
    if !is_new && random.random_ratio(1, 4) {
        return fuzzer_mutate(data, size, max_size);
    }
    let seeds = if is_new { seeds() } else { Vec::new() };
    let before = match seeds.len() {
        0 => &data[..size],
        n => &seeds[random.random_range(0..n)],
    };
    let mut after = mutated(before, &mut random);
    after.truncate(max_size);
    data[..after.len()].copy_from_slice(&after);
    after.len()
}
