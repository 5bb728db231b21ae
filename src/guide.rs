//! The guide: what the library does and how it is used, a page for each subject.
//!
//! - [Using it as a dependency][dependency]
//! - [Checkpoints][checkpoints]: directories, the hub, [the bundled model][bundled_model]
//! - [Prompts and tasks][data]: answers, named places, files, generators of the literature's tasks
//! - [Hooks and runs][hooks]: what is checked, what is kept, parts of a run
//! - [Coming from TransformerLens][transformer_lens]: call by call, and which numbers differ
//! - [Hook sites][sites]: the table, selections, what is computed when
//! - [Edits][edits]: ablate, patch, steer, project out, interpolate, knock out, or a closure
//! - [Batches][batches] of any lengths, one registry for all or one for each
//! - [Generation][generation] with hooks and a cache
//! - [Sweeps][sweeps]: many variants of a run, each thing computed once
//! - [Gradients][gradients] at any site, and attribution patching
//! - [Weights][weights], by the field's names
//! - [Lenses][lenses]: logit lens, direct logit attribution, heads, neurons
//! - [Analysis][analysis]: what logits mean, equivalent temperature, and how sure it is
//! - [The Einstein sweep][einstein_sweep]
//! - [Experiments][experiments]: questions with their reports, pages and replay
//! - [Tables, data files and figures][reports] of any result
//! - [Conformance][conformance]: identities, checked on a model of yours
//! - [What it costs][performance]
//! - [Threads and processes][threads]
//! - [Security][security]: what is trusted, checked and not promised
//! - [Architecture][architecture]: the rooms, and where a change goes
//!
//! Every program in it is compiled, and run where it can be, with the tests.
//!
//! [analysis]: self::analysis
//! [architecture]: self::architecture
//! [batches]: self::batches
//! [bundled_model]: self::bundled_model
//! [checkpoints]: self::checkpoints
//! [conformance]: self::conformance
//! [data]: self::data
//! [dependency]: self::dependency
//! [edits]: self::edits
//! [einstein_sweep]: self::einstein_sweep
//! [experiments]: self::experiments
//! [generation]: self::generation
//! [gradients]: self::gradients
//! [hooks]: self::hooks
//! [lenses]: self::lenses
//! [performance]: self::performance
//! [reports]: self::reports
//! [security]: self::security
//! [sites]: self::sites
//! [sweeps]: self::sweeps
//! [threads]: self::threads
//! [transformer_lens]: self::transformer_lens
//! [weights]: self::weights

// A page's own links and pictures are defined at its end, for those who read it in the repository. Of two
// definitions of one label Markdown takes the first, so that those here win where rustdoc reads it.
macro_rules! page {
    ($name:ident, $file:literal) => {
        /// [bf16]: crate::guide::performance#bf16
        /// [bos]: crate::guide::data#the-end-of-text-before-a-prompt
        /// [bundled_model]: crate::guide::bundled_model
        /// [checkpoints]: crate::guide::checkpoints
        /// [data]: crate::guide::data
        /// [edits]: crate::guide::edits
        /// [lenses]: crate::guide::lenses
        /// [einstein_sweep]: crate::guide::einstein_sweep
        /// [experiments]: crate::guide::experiments
        /// [kept]: crate::guide::hooks#what-is-kept
        /// [reports]: crate::guide::reports
        /// [checked]: crate::guide::hooks#what-is-checked
        /// [mean_ablation]: crate::guide::edits#mean-ablation
        /// [means]: crate::guide::reports#means-with-intervals
        /// [performance]: crate::guide::performance
        /// [places]: crate::guide::data#a-task-of-the-literature
        /// [saving]: crate::guide::edits#save-and-load
        /// [security]: crate::guide::security
        /// [sites]: crate::guide::sites
        /// [sure]: crate::guide::analysis#does-it-hold-over-prompts
        /// [sweeps]: crate::guide::sweeps
        /// [threads]: crate::guide::threads
        /// [weights]: crate::guide::weights
        /// [written]: crate::guide::security#files-that-are-written
        #[doc = picture!("patching_grid.svg")]
        #[doc = picture!("scaling.svg")]
        #[doc = ""]
        #[doc = include_str!($file)]
        pub mod $name {}
    };
}

// rustdoc copies no files beside its pages: a picture has to be inside its own address.
macro_rules! picture {
    ($file:literal) => {
        concat!(
            "[",
            $file,
            "]: data:image/svg+xml;base64,",
            include_str!(concat!("../docs/images/", $file, ".base64"))
        )
    };
}

page!(analysis, "../docs/analysis.md");
page!(architecture, "../docs/architecture.md");
page!(batches, "../docs/batches.md");
page!(bundled_model, "../assets/demo-model/TRAINING.md");
page!(checkpoints, "../docs/checkpoints.md");
page!(conformance, "../docs/conformance.md");
page!(data, "../docs/data.md");
page!(dependency, "../docs/dependency.md");
page!(edits, "../docs/edits.md");
page!(einstein_sweep, "../docs/einstein_sweep.md");
page!(experiments, "../docs/experiments.md");
page!(generation, "../docs/generation.md");
page!(gradients, "../docs/gradients.md");
page!(hooks, "../docs/hooks.md");
page!(lenses, "../docs/lenses.md");
page!(performance, "../docs/performance.md");
page!(reports, "../docs/reports.md");
page!(security, "../docs/security.md");
page!(sites, "../docs/sites.md");
page!(sweeps, "../docs/sweeps.md");
page!(threads, "../docs/threads.md");
page!(transformer_lens, "../docs/transformer_lens.md");
page!(weights, "../docs/weights.md");

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
