//! Why a hook is refused, or fails.

use super::{Error, shown};
use crate::site::Site;

/// Why a hook is refused, or fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HookError {
    /// A hook does not fit the model or the input.
    #[error("hook `{hook}` cannot stand at {selected}: {reason}", hook = shown(hook))]
    Refused {
        /// The edit.
        hook: String,
        /// Where it was to stand.
        site: Site,
        /// The site, and the part of it that is selected.
        selected: String,
        /// What does not fit.
        reason: Box<Error>,
    },
    /// Something of one sequence: of its own registry, or of what hooks left of it.
    #[error("sequence {sequence}")]
    OfSequence {
        /// The sequence's index in the batch.
        sequence: usize,
        /// What.
        source: Box<Error>,
    },
    /// A hook or a capture inside a block that is skipped: nothing is computed there.
    #[error("its block is skipped, where only resid_pre and resid_post pass")]
    InSkippedBlock,
    /// An edit of a layer norm that an edited fork of its input goes round.
    #[error("{fork} and {norm} are both edited: an edited fork has a layer norm of its own")]
    ForkAndNorm {
        /// The fork.
        fork: Site,
        /// The site of the layer norm.
        norm: Site,
    },
    /// Gradients with respect to a layer norm, and a fork of its input that the logits would depend on in its place.
    #[error(
        "{fork} goes round {norm} once it is edited or differentiated: gradients take one run for each"
    )]
    ForkRoundNorm {
        /// The fork.
        fork: Site,
        /// The site of the layer norm.
        norm: Site,
    },
    /// A hook or a capture stands before the part of the model that the run goes through.
    #[error("the run begins at {first}")]
    BeforeRun {
        /// The first site that it passes.
        first: Site,
    },
    /// A hook or a capture stands behind the part of the model that the run goes through.
    #[error("the run stops after {last}")]
    AfterRun {
        /// The last site that it passes.
        last: Site,
    },
    /// An edit is undone by another one before anything sees it.
    #[error("it changes nothing: `{by}` at {at} overwrites it", by = shown(by))]
    Overwritten {
        /// The later edit.
        by: String,
        /// The later edit's site, and the part of it that it selects.
        at: String,
    },
    /// The number of registries is not that of the sequences.
    #[error("{given} registries for {needed} sequences, one for each is needed")]
    RegistryCount {
        /// The number of registries.
        given: usize,
        /// The number of sequences.
        needed: usize,
    },
    /// An edit whose result at one position depends on others, where positions come one by one.
    #[error("it mixes positions, which cannot be done while they are computed one after the other")]
    MixesPositions,
    /// A hook that was registered did nothing.
    #[error("hook `{hook}` at {site}, registered {registered}, never fired", hook = shown(hook))]
    NeverFired {
        /// The hook's name.
        hook: String,
        /// The site that it declares.
        site: Site,
        /// Where the registry answered it: for which layer, or outside the blocks.
        registered: String,
    },
    /// An edit failed.
    #[error("hook `{hook}` at {site} failed", hook = shown(hook))]
    EditFailed {
        /// The hook's name.
        hook: String,
        /// Where it is.
        site: Site,
        /// Why.
        source: Box<Error>,
    },
    /// Knocked-out edges leave a query nothing to attend to: its pattern would be 0/0.
    #[error("{site}: head {head} has no key left at query position {query}")]
    NoKeyLeft {
        /// The site of the scores.
        site: Site,
        /// The first such head.
        head: usize,
        /// The first such query of it.
        query: usize,
    },
    /// An edit wrote into the tensor that it was given, which others read.
    #[error(
        "hook `{hook}` at {site} wrote into what it was given, allowed: a tensor of its own",
        hook = shown(hook)
    )]
    WroteInPlace {
        /// The hook's name.
        hook: String,
        /// Where it is.
        site: Site,
    },
    /// An edit let queries see later keys where positions are computed one after the other: what it does
    /// would depend on how far the text has come.
    #[error(
        "hook `{hook}` at {site} lets a query see later keys, which cannot be done while positions are computed one after the other",
        hook = shown(hook)
    )]
    LiftsMask {
        /// The hook's name.
        hook: String,
        /// Where it is.
        site: Site,
    },
    /// An edit returned a tensor unlike the one that it was given.
    #[error("hook `{hook}` at {site} returned {returned}, it was given {given}", hook = shown(hook))]
    EditResult {
        /// The hook's name.
        hook: String,
        /// Where it is.
        site: Site,
        /// Shape, kind and device of its input.
        given: String,
        /// Shape, kind and device of its output.
        returned: String,
    },
}
