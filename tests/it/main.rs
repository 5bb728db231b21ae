//! All integration tests, in one binary: libtorch is linked once.

mod abuse;
mod analysis;
mod bad_input;
mod bf16;
mod bundled_tasks;
mod captures;
mod checkpoints;
mod command_line;
mod comparisons;
mod conformance;
mod data;
mod descriptions;
mod devices;
mod edits;
mod einstein;
mod experiments;
mod export;
#[cfg(feature = "plot")]
mod figures;
mod fuzzed;
mod fuzzed_inputs;
mod generation;
mod gradients;
mod guide;
#[cfg(feature = "hub")]
mod hub;
mod lens_subjects;
mod lens_weights;
mod lenses;
mod long_texts;
mod masking;
mod mean_ablation;
#[cfg(target_os = "linux")]
mod memory;
mod noise;
mod output_dir;
#[cfg(feature = "html")]
mod pages;
mod parity;
mod partial_runs;
mod projections;
mod reading;
mod ready_sweeps;
mod reference_edits;
mod report;
mod runs;
mod saving;
mod shuffle;
mod silent_failures;
mod sites;
mod steering;
mod support;
mod sweep;
mod sweep_bases;
mod sweep_captures;
mod sweep_metrics;
mod sweep_results;
mod threads;
mod tokenizer;
mod tolerance;
mod uncertainty;
mod unembed;
mod users_code;
mod weights;
