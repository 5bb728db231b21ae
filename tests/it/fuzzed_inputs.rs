//! Each `case` of [`fuzzed`](crate::fuzzed), on seeds and on what seeded numbers make of them.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::fuzzed::{config, edits, original_tokenizer, safetensors, sweeps, tokenizer};

/// Changed files, each made of a seed or of one that was made before.
fn run(
    seeds: Vec<Vec<u8>>,
    mutated: impl Fn(&[u8], &mut ChaCha8Rng) -> Vec<u8>,
    case: impl Fn(&[u8]),
    n_cases: usize,
) {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut files = seeds;
    for file in &files {
        case(file);
    }
    for _ in 0..n_cases {
        let file = mutated(&files[random.random_range(0..files.len())], &mut random);
        case(&file);
        if random.random_ratio(1, 4) && files.len() < 64 {
            files.push(file);
        }
    }
}

#[test]
fn a_changed_configuration_loads_or_says_in_words_why_not() {
    run(config::seeds(), config::mutated, config::case, 2000);
}

#[test]
fn changed_weights_load_or_say_in_words_why_not() {
    run(safetensors::seeds(), safetensors::mutated, safetensors::case, 2000);
}

#[test]
fn a_changed_tokenizer_encodes_and_decodes_or_says_in_words_why_not() {
    run(tokenizer::seeds(), tokenizer::mutated, tokenizer::case, 1000);
}

#[test]
fn changed_original_files_of_a_tokenizer_do_so_too() {
    run(original_tokenizer::seeds(), original_tokenizer::mutated, original_tokenizer::case, 1000);
}

#[test]
fn changed_edits_load_and_are_saved_as_the_same_or_say_in_words_why_not() {
    run(edits::seeds(), edits::mutated, edits::case, 1000);
}

#[test]
fn any_edits_give_in_a_sweep_what_they_give_in_runs() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    for _ in 0..300 {
        let bytes: Vec<u8> = (0..1000).map(|_| random.random()).collect();
        sweeps::case(&bytes);
    }
}
