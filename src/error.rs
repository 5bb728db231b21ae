//! The one error type of the crate.

use std::path::PathBuf;

/// The result of every fallible function of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong: each variant names what was given and what is allowed.
///
/// `Display` is always one line and never repeats its [`source`](std::error::Error::source).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // ------------------------------------------------------------------ files
    /// A file or directory that is needed is not there.
    #[error("{path}: no such file or directory", path = path.display())]
    NotFound {
        /// What was looked for.
        path: PathBuf,
    },
    /// A file could not be read.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file or directory could not be written.
    #[error("cannot write {path}", path = path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not the JSON that it should be.
    #[error("{path}: malformed JSON", path = path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A file is not the TOML that it should be.
    #[error("{path}: malformed TOML", path = path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Where and why, on several lines.
        source: Box<toml::de::Error>,
    },

    // ------------------------------------------------------------ checkpoints
    /// `config.json` asks for something that this crate does not compute.
    #[error("{path}: `{field}` is {given}, allowed: {allowed}", path = path.display())]
    Config {
        /// The configuration file.
        path: PathBuf,
        /// The field of it.
        field: &'static str,
        /// Its value.
        given: String,
        /// The values that are supported.
        allowed: String,
    },
    /// A safetensors file is damaged.
    #[error("{path}: not a valid safetensors file: {reason}", path = path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An index of shards names something other than a file beside it.
    #[error("{path}: the shard {given:?} is not the name of a file beside it", path = path.display())]
    ShardName {
        /// The index.
        path: PathBuf,
        /// The shard's name.
        given: String,
    },
    /// A tensor is in a number format that cannot be stored or loaded.
    #[error("{path}: `{tensor}` is stored as {given}, allowed: F32, F16, BF16, F64", path = path.display())]
    StoredKind {
        /// The file.
        path: PathBuf,
        /// The tensor's name in the file.
        tensor: String,
        /// How it is stored.
        given: String,
    },
    /// The checkpoint lacks weights.
    #[error("{checkpoint}: {count} weights are missing, the first is `{first}`", count = names.len(), first = names.first().map_or("", String::as_str))]
    MissingWeights {
        /// The checkpoint.
        checkpoint: String,
        /// The names that no file holds.
        names: Vec<String>,
    },
    /// A weight has another shape than the configuration asks for.
    #[error("{checkpoint}: `{tensor}` has shape {found:?}, config.json asks for {expected:?}")]
    WeightShape {
        /// The checkpoint.
        checkpoint: String,
        /// The weight.
        tensor: String,
        /// The shape that follows from the configuration.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// The hub could not deliver a file.
    #[error("cannot get `{file}` of `{model}` from the hub: {reason}")]
    Hub {
        /// The model's name.
        model: String,
        /// The file.
        file: String,
        /// The client's reason.
        reason: String,
    },
    /// A model that is not in the cache was asked for without the network.
    #[error("`{model}` is not in the cache {cache} and downloads are off ({why})", cache = cache.display())]
    NotCached {
        /// The model's name.
        model: String,
        /// The cache directory that was searched.
        cache: PathBuf,
        /// What turned downloads off.
        why: &'static str,
    },

    /// Two tensors of a checkpoint are one weight: by names with the prefix `transformer.` and without it, or
    /// in two shards.
    #[error("{path}: `{tensor}` is `{other}` of {other_path} again, only one of them is allowed", path = path.display(), other_path = other_path.display())]
    WeightTwice {
        /// The file of the second one.
        path: PathBuf,
        /// Its name there.
        tensor: String,
        /// The file of the first one.
        other_path: PathBuf,
        /// Its name there.
        other: String,
    },
    /// An adapter lies beside the weights, which it changes.
    #[error("{path}: an adapter cannot be applied, allowed: weights that it is merged into", path = path.display())]
    Adapter {
        /// The adapter's configuration.
        path: PathBuf,
    },

    // ------------------------------------------------------ tokenizer and input
    /// The tokenizer's files cannot be used.
    #[error("{path}: not a usable tokenizer: {reason}", path = path.display())]
    TokenizerFile {
        /// The file.
        path: PathBuf,
        /// The tokenizer library's reason.
        reason: String,
    },
    /// A tokenizer was asked for and the checkpoint has none.
    #[error("{checkpoint} has no tokenizer: neither tokenizer.json nor vocab.json and merges.txt")]
    NoTokenizer {
        /// The checkpoint.
        checkpoint: String,
    },
    /// Encoding or decoding failed.
    #[error("the tokenizer cannot {operation} {given}: {reason}")]
    Tokenize {
        /// `encode` or `decode`.
        operation: &'static str,
        /// What it was given.
        given: String,
        /// The tokenizer library's reason.
        reason: String,
    },
    /// The tokenizer knows token ids that the embedding has no row for.
    #[error("the tokenizer has {tokenizer} token ids, the model embeds only {d_vocab}")]
    TokenizerTooLarge {
        /// One more than the largest id of the tokenizer.
        tokenizer: usize,
        /// Rows of the token embedding.
        d_vocab: usize,
    },
    /// A text that must be one token is none or several.
    #[error("{text:?} is {count} tokens {pieces:?}, exactly one is needed", count = pieces.len())]
    NotOneToken {
        /// The text.
        text: String,
        /// The tokens that it is made of.
        pieces: Vec<String>,
    },
    /// A run or a sweep was given no text.
    #[error("sequence {sequence} of the batch is empty, at least one token is needed")]
    EmptySequence {
        /// Its index in the batch.
        sequence: usize,
    },
    /// A batch without sequences.
    #[error("the batch is empty, at least one sequence is needed")]
    EmptyBatch,
    /// The examples of a batch were not all numbered, or too many were.
    #[error("{given} example numbers for {needed} sequences, one for each is needed")]
    ExampleCount {
        /// The numbers given.
        given: usize,
        /// The number of sequences.
        needed: usize,
    },
    /// A sequence is longer than the model's context.
    #[error("sequence {sequence} has {given} tokens, the model's context holds {n_ctx}")]
    SequenceTooLong {
        /// Its index in the batch.
        sequence: usize,
        /// Its length.
        given: usize,
        /// The longest length allowed.
        n_ctx: usize,
    },
    /// A token id outside the vocabulary.
    #[error("token {given} is not in the vocabulary, allowed: 0 to {last}", last = d_vocab - 1)]
    TokenOutOfRange {
        /// The token id.
        given: u32,
        /// The size of the vocabulary.
        d_vocab: usize,
    },

    // ------------------------------------------------------------------- hooks
    /// A layer that the model does not have.
    #[error("layer {given} is not in the model, allowed: 0 to {last}", last = n_layers - 1)]
    LayerOutOfRange {
        /// The layer index.
        given: usize,
        /// The number of layers.
        n_layers: usize,
    },
    /// A selection of positions that a sequence does not have.
    #[error("positions {given} do not fit sequence {sequence}, which has {len} tokens")]
    PositionOutOfRange {
        /// The selection.
        given: String,
        /// The sequence's index in the batch.
        sequence: usize,
        /// Its length.
        len: usize,
    },
    /// A name that is no site's.
    #[error("`{given}` is no hook site; the nearest names are {nearest}")]
    UnknownSite {
        /// The name.
        given: String,
        /// Names of sites that are like it.
        nearest: String,
    },
    /// A selected index that model or batch do not have.
    #[error("{axis} {given} is out of range, allowed: 0 to {last}", last = len - 1)]
    IndexOutOfRange {
        /// What the index counts.
        axis: &'static str,
        /// The index.
        given: usize,
        /// How many there are.
        len: usize,
    },
    /// A selection that selects nothing.
    #[error("no {axis} is selected, at least one is needed")]
    EmptySelection {
        /// What is counted along the axis.
        axis: &'static str,
    },
    /// A hook or a capture inside a block that is skipped: nothing is computed there.
    #[error("its block is skipped, where only resid_pre and resid_post pass")]
    InSkippedBlock,
    /// An edit of a layer norm that an edited fork of its input goes round.
    #[error("{fork} and {norm} are both edited: an edited fork has a layer norm of its own")]
    ForkAndNorm {
        /// The fork.
        fork: String,
        /// The site of the layer norm.
        norm: String,
    },
    /// A hook does not fit the model or the input.
    #[error("hook `{hook}` cannot stand at {selected}{}: {reason}", of_sequence(*.sequence))]
    HookRefused {
        /// The edit.
        hook: String,
        /// The site, and the part of it that is selected.
        selected: String,
        /// The sequence whose registry it is from, if each has its own.
        sequence: Option<usize>,
        /// What does not fit.
        reason: Box<Error>,
    },
    /// A capture does not fit the model or the input.
    #[error("{capture} cannot be captured: {reason}")]
    CaptureRefused {
        /// What was to be captured.
        capture: String,
        /// What does not fit.
        reason: Box<Error>,
    },
    /// A hook or a capture stands where the run does not come by.
    #[error("it is not on the way: the run {way}")]
    NotOnTheWay {
        /// Where the run begins or ends.
        way: String,
    },
    /// An edit is undone by another one before anything sees it.
    #[error("it changes nothing: `{by}` at {at} overwrites it")]
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
    /// No token was to be generated.
    #[error("no token is to be generated, at least one is needed")]
    NoNewTokens,
    /// A prompt and its continuation are longer than the model's context.
    #[error(
        "sequence {sequence}: a prompt of {prompt} tokens and {new} new ones do not fit the model's \
         context, which computes {n_ctx}"
    )]
    ContinuationTooLong {
        /// The sequence's index in the batch.
        sequence: usize,
        /// Tokens of the prompt.
        prompt: usize,
        /// Tokens to be generated.
        new: usize,
        /// The length of the model's context.
        n_ctx: usize,
    },
    /// A temperature that nothing can be drawn with.
    #[error("the temperature is {given}, a finite number above 0 is needed")]
    Temperature {
        /// The temperature.
        given: f64,
    },
    /// No token has a probability.
    #[error("no token can be drawn at position {position}: the logits give none a probability")]
    NothingToDraw {
        /// The position of the token to be drawn.
        position: usize,
    },
    /// An edit whose result at one position depends on others, where positions come one by one.
    #[error("it mixes positions, which cannot be done while they are computed one after the other")]
    MixesPositions,
    /// Logits were compared with those of other sequences or positions.
    #[error("the logits are of other sequences or other positions, the same are needed")]
    OtherLogits,
    /// A grid over positions of sequences that are not equally long.
    #[error(
        "a grid over positions needs sequences of one length, given: {first} and {other} tokens"
    )]
    UnequalLengths {
        /// The length of the first sequence.
        first: usize,
        /// That of another one.
        other: usize,
    },
    /// An axis of a sweep along which nothing varies.
    #[error("the axis `{axis}` is empty, at least one value is needed")]
    EmptyAxis {
        /// The axis.
        axis: String,
    },
    /// Variants were made for another batch.
    #[error("variants of {given} sequences in a sweep over {needed}, as many are needed")]
    VariantSequences {
        /// The sequences that the variants are of.
        given: usize,
        /// The sequences of the sweep.
        needed: usize,
    },
    /// A point that is not on the axes of a sweep.
    #[error("no variant is at {given:?}, the axes have the lengths {shape:?}")]
    NoSuchPoint {
        /// The index along each axis.
        given: Vec<usize>,
        /// The length of each axis.
        shape: Vec<usize>,
    },
    /// Sequences with different numbers of scored positions.
    #[error(
        "{first} positions are scored in the first sequence and {other} in another, as many are needed"
    )]
    ScoredUnevenly {
        /// The positions scored in the first sequence.
        first: usize,
        /// Those in another one.
        other: usize,
    },
    /// A sweep does not fit its memory, however it is split.
    #[error(
        "one variant, with all that is captured before it, needs {needed} bytes besides the model, allowed: {max_bytes}"
    )]
    BudgetTooSmall {
        /// The bytes allowed.
        max_bytes: usize,
        /// The bytes that the smallest pass needs.
        needed: usize,
    },
    /// A run has nothing to give back.
    #[error("the run computes no logits and captures nothing")]
    NothingAsked,
    /// The number of residual streams to resume from is not that of the sequences.
    #[error("{given} residual streams for {needed} sequences, one for each is needed")]
    ResidualCount {
        /// The number given.
        given: usize,
        /// The number of sequences.
        needed: usize,
    },
    /// The residual stream to resume from does not fit the sequence.
    #[error("sequence {sequence}: its residual stream is {given}, needed: {needed}")]
    ResidualForm {
        /// The sequence's index in the batch.
        sequence: usize,
        /// Shape, kind and device of what was given.
        given: String,
        /// Those that fit.
        needed: String,
    },
    /// A hook that was registered did nothing.
    #[error("hook `{hook}` at {site}, registered {registered}, never fired")]
    HookNeverFired {
        /// The hook's name.
        hook: String,
        /// The site that it declares.
        site: String,
        /// Where the registry answered it: for which layer, or outside the blocks.
        registered: String,
    },
    /// A factor that is not a finite number.
    #[error("{what} is {given}, a finite number is needed")]
    NotFinite {
        /// What the number is for.
        what: &'static str,
        /// The number.
        given: f64,
    },
    /// An amount of noise below zero.
    #[error("{what} is {given}, allowed: 0 or more")]
    NegativeAmount {
        /// What the number is for.
        what: &'static str,
        /// The number.
        given: f64,
    },
    /// A tensor that is to replace or change activations does not fit them.
    #[error("its tensor is {given}, it must repeat into {needed}")]
    Replacement {
        /// Shape, kind and device of the tensor.
        given: String,
        /// Shape, kind and device of what is selected.
        needed: String,
    },
    /// An edit at a site where it has no meaning.
    #[error("it has no meaning at that site, allowed: {allowed}")]
    EditSite {
        /// The sites where it has.
        allowed: &'static str,
    },
    /// A shuffle of nothing or of a single thing, which would change nothing.
    #[error("{given} selected, at least 2 are needed to change places")]
    TooFewToShuffle {
        /// How many there are.
        given: usize,
    },
    /// A hook that cannot be saved, because its edit is a closure or one's own.
    #[error("hook `{hook}` at {site} cannot be saved, allowed: built-in edits")]
    NotBuiltIn {
        /// The hook's name.
        hook: String,
        /// Where it is.
        site: String,
    },
    /// A file of interventions describes a hook that cannot be.
    #[error("{path}: hook {index} cannot be loaded", path = path.display())]
    DescribedHook {
        /// The file.
        path: PathBuf,
        /// Which hook of the file, from 0.
        index: usize,
        /// Why.
        source: Box<Error>,
    },
    /// A file of interventions selects along an axis that the site does not have.
    #[error("`{given}` cannot be selected at {site}, allowed: {allowed}")]
    SelectionAtSite {
        /// The field that says what is selected.
        given: &'static str,
        /// The site.
        site: String,
        /// The fields allowed there.
        allowed: String,
    },
    /// A file of interventions names a tensor that is not beside it.
    #[error("{path}: no tensor `{given}`, stored: {stored}", path = path.display())]
    NoSuchTensor {
        /// The file of tensors.
        path: PathBuf,
        /// The name.
        given: String,
        /// The names that are there.
        stored: String,
    },
    /// NaN or an infinity, at the first site where a run that looked for it found one.
    #[error("{site} is not finite at position {position} of sequence {sequence}")]
    NonFiniteAt {
        /// The site.
        site: String,
        /// The sequence's index in the batch.
        sequence: usize,
        /// The first such position.
        position: usize,
    },
    /// An edit failed.
    #[error("hook `{hook}` at {site}{} failed", of_sequence(*.sequence))]
    EditFailed {
        /// The hook's name.
        hook: String,
        /// Where it is.
        site: String,
        /// The sequence whose registry it is from, if each has its own.
        sequence: Option<usize>,
        /// Why.
        source: Box<Error>,
    },
    /// Knocked-out edges leave a query nothing to attend to: its pattern would be 0/0.
    #[error("{site}: head {head} has no key left at query position {query} of sequence {sequence}")]
    NoKeyLeft {
        /// The site of the scores.
        site: String,
        /// The sequence's index in the batch.
        sequence: usize,
        /// The first such head.
        head: usize,
        /// The first such query of it.
        query: usize,
    },
    /// An edit returned a tensor unlike the one that it was given.
    #[error("hook `{hook}` at {site}{} returned {returned}, it was given {given}", of_sequence(*.sequence))]
    EditResult {
        /// The hook's name.
        hook: String,
        /// Where it is.
        site: String,
        /// The sequence whose registry it is from, if each has its own.
        sequence: Option<usize>,
        /// Shape, kind and device of its input.
        given: String,
        /// Shape, kind and device of its output.
        returned: String,
    },
    /// An activation was looked up that the run did not capture.
    #[error("{what} was not captured of sequence {sequence}, captured of it: {captured}")]
    NotCaptured {
        /// What was looked up.
        what: String,
        /// The sequence's index in the batch.
        sequence: usize,
        /// What was captured of the sequence.
        captured: String,
    },
    /// Moments of different shapes were merged.
    #[error("moments of shape {left:?} and {right:?} cannot be merged, the shapes must be equal")]
    MomentsShape {
        /// The shape of those merged into.
        left: Vec<i64>,
        /// The shape of those merged.
        right: Vec<i64>,
    },
    /// A sequence index outside the batch.
    #[error("sequence {given} is not in the batch, which has {len}")]
    NoSuchSequence {
        /// The index.
        given: usize,
        /// The number of sequences.
        len: usize,
    },
    /// Logits were looked up at a position that was not unembedded.
    #[error(
        "position {given} of sequence {sequence} was not unembedded, unembedded: {unembedded:?}"
    )]
    NotUnembedded {
        /// The position.
        given: usize,
        /// The sequence's index in the batch.
        sequence: usize,
        /// The positions that were.
        unembedded: Vec<usize>,
    },

    /// Something other than one number was to be differentiated.
    #[error("a tensor of shape {given:?} cannot be differentiated, one number is needed")]
    NotAScalar {
        /// Its shape.
        given: Vec<i64>,
    },

    // ---------------------------------------------------------------- analysis
    /// A statistic was asked of too few values.
    #[error("{statistic} needs at least {needed} values, given: {given}")]
    TooFewValues {
        /// The statistic.
        statistic: &'static str,
        /// How many it needs.
        needed: usize,
        /// How many it was given.
        given: usize,
    },
    /// Two vectors that must be equally long are not.
    #[error("{statistic} needs two vectors of one length, given: {left} and {right}")]
    LengthMismatch {
        /// The statistic.
        statistic: &'static str,
        /// Length of the first.
        left: usize,
        /// Length of the second.
        right: usize,
    },
    /// NaN, or an infinity where only finite values have a meaning.
    #[error("{statistic}: value {index} is {given}")]
    BadValue {
        /// The statistic.
        statistic: &'static str,
        /// Index of the first such value.
        index: usize,
        /// The value.
        given: f64,
    },
    /// A statistic that divides by a spread was given constant values.
    #[error("{statistic} is undefined: all values of the {which} vector are equal")]
    ZeroVariance {
        /// The statistic.
        statistic: &'static str,
        /// `first` or `second`.
        which: &'static str,
    },
    /// More of the most likely tokens were asked for than there are.
    #[error("top {given} is out of range, allowed: 1 to {allowed}")]
    TopKOutOfRange {
        /// The k asked for.
        given: usize,
        /// The largest k.
        allowed: usize,
    },

    // ------------------------------------------------------------- experiments
    /// The layer to look at closely is none of those that are swept.
    #[error("the focus layer {given} is not among the swept layers {swept:?}")]
    FocusNotSwept {
        /// The focus layer.
        given: usize,
        /// The layers that are swept.
        swept: Vec<usize>,
    },
    /// A sweep without layers.
    #[error("no layer to sweep, at least one is needed")]
    NoLayers,
    /// One variant of a sweep cannot run, or cannot be measured.
    #[error("{variant}")]
    Variant {
        /// Its point on the axes of the sweep.
        variant: String,
        /// Why.
        source: Box<Error>,
    },

    // ------------------------------------------------------------- environment
    /// A device that this machine, or this libtorch, does not have.
    #[error("device `{given}` is not available{}, available: {available}", in_parentheses(.reason))]
    NoSuchDevice {
        /// The device.
        given: String,
        /// The devices that are.
        available: String,
        /// Why there is no device of its kind, if that is known.
        reason: Option<String>,
    },
    /// A word that is none of the allowed ones.
    #[error("{what} `{given}` is not known, allowed: {allowed}")]
    UnknownName {
        /// What the word should have named.
        what: &'static str,
        /// The word.
        given: String,
        /// The words allowed.
        allowed: String,
    },
    /// The crate was built without a feature that the call needs.
    #[error("{what} needs the crate's feature `{feature}`")]
    FeatureDisabled {
        /// What was asked for.
        what: String,
        /// The feature.
        feature: &'static str,
    },
    /// A figure could not be drawn.
    #[error("cannot draw a figure: {reason}")]
    Figure {
        /// The plotting library's reason.
        reason: String,
    },
    /// libtorch refused an operation.
    #[error("libtorch: {}", first_line(.0))]
    Torch(tch::TchError),
}

impl From<tch::TchError> for Error {
    fn from(error: tch::TchError) -> Self {
        Error::Torch(error)
    }
}

/// libtorch appends a C++ stack trace to its messages; the first line says what is wrong.
fn first_line(error: &tch::TchError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// Whose registry a hook is from, where each sequence has its own.
fn of_sequence(sequence: Option<usize>) -> String {
    sequence.map_or(String::new(), |sequence| format!(" of sequence {sequence}"))
}

fn in_parentheses(reason: &Option<String>) -> String {
    reason.as_ref().map_or(String::new(), |reason| format!(" ({reason})"))
}
