//! Residual streams, read as if they were the last.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3};
use tch::Tensor;

use super::arrays::array;
use super::lens_table::{LensTable, quoted};
use super::read_at::{Places, ReadAt};
use super::readout::Readout;
use super::target::Target;
use crate::analysis::rank::RankedToken;
use crate::batch::Batch;
use crate::error::{AnalysisError, LensError, Result, SelectionError};
use crate::hook::{Positions, Site};
use crate::model::{Gpt2, Run, RunOutput};
use crate::tokenizer::Tokenizer;

/// The logit lens (nostalgebraist, "interpreting GPT: the logit lens", 2020): the residual stream at each layer through the
/// final layer norm and the unembedding, as if no block came after it.
///
/// ```text
/// lens_l = ln_final(resid_l) W_U          KL_l = KL(softmax(logits) ‖ softmax(lens_l))
/// ```
///
/// At each place and position: log-probability and rank of a target, if one is named; the most likely tokens, if they are
/// asked for, which also come as [a table](LensReadings::table); and the divergence of the run's own next-token distribution from what the lens says, which is 0 behind the
/// last block. The logits themselves are kept on request alone: of all layers and positions they would take gigabytes.
///
/// ```
/// use hooked_gpt2::lens::LogitLens;
/// # use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, tch::Device};
/// # let checkpoint = Checkpoint::bundled()?;
/// # let (model, _) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
/// # let tokenizer = checkpoint.tokenizer()?;
/// let prompt = Batch::single(tokenizer.encode("She was a very happy")?)?;
/// let lens = LogitLens::new().target(tokenizer.single_token(" woman")?).read(model.run(&prompt))?;
/// for (number, site) in lens.sites().iter().enumerate() {
///     println!("{site} rank {} KL {:.3}", lens.ranks()?[[number, 0, 4]], lens.kl()[[number, 0, 4]]);
/// }
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct LogitLens {
    read_at: ReadAt,
    target: Option<Target>,
    top: usize,
    keep: bool,
}

impl LogitLens {
    /// `resid_pre` of each block and `resid_post` of the last one, at every position.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self { read_at: ReadAt::EVERYWHERE, target: None, top: 0, keep: false }
    }

    /// These sites instead, in execution order: any whose axes are those of the residual stream, such as `resid_mid`,
    /// or `mlp_out`, which is no stream but what is added to it.
    pub fn sites(mut self, sites: impl IntoIterator<Item = Site>) -> Self {
        self.read_at.sites = Some(sites.into_iter().collect());
        self
    }

    /// Only at these positions.
    pub fn at(mut self, positions: Positions) -> Self {
        self.read_at.positions = positions;
        self
    }

    /// Looks for this token, in every sequence and at every position.
    pub fn target(mut self, token: u32) -> Self {
        self.target = Some(Target::Shared(token));
        self
    }

    /// Looks for a token of its own in each sequence.
    pub fn target_of_each(mut self, tokens: impl Into<Vec<u32>>) -> Self {
        self.target = Some(Target::Each(tokens.into()));
        self
    }

    /// Looks at each position for the token that follows in the text: NaN at the last one.
    pub fn next_token(mut self) -> Self {
        self.target = Some(Target::Next);
        self
    }

    /// Keeps the `k` most likely tokens of each place and position.
    pub fn top(mut self, k: usize) -> Self {
        self.top = k;
        self
    }

    /// Keeps all logits: `d_vocab` numbers in f64 for each site and position.
    pub fn keep_logits(mut self) -> Self {
        self.keep = true;
        self
    }

    /// Runs the model, and reads.
    ///
    /// # Errors
    /// [`LensError::Site`] for a site with other axes and [`NoSites`](LensError::NoSites) for none;
    /// [`OneForEach`](LensError::OneForEach), [`TokenOutOfRange`](crate::error::BatchError::TokenOutOfRange) and
    /// [`PositionOutOfRange`](SelectionError::PositionOutOfRange);
    /// [`TopKOutOfRange`](AnalysisError::TopKOutOfRange); [`BadValue`](AnalysisError::BadValue) where a
    /// stream is not finite; and those of [`Run::execute`].
    pub fn read(&self, run: Run<'_>) -> Result<LensReadings> {
        let (model, batch) = (run.model(), run.batch());
        let config = model.config();
        let places = self.read_at.streams(config, batch)?;
        if let Some(target) = &self.target {
            target.check(batch, config.d_vocab)?;
        }
        if self.top > config.d_vocab {
            let (given, allowed) = (self.top, config.d_vocab);
            return Err(AnalysisError::TopKOutOfRange { given, allowed }.into());
        }
        let Places { sites, captures, positions } = &places;
        let output = run.capture(captures).unembed(self.read_at.positions.clone()).execute()?;

        let shape = (sites.len(), positions.n_sequences(), positions.most());
        let mut readings = LensReadings {
            log_probs: self.target.as_ref().map(|_| Array3::from_elem(shape, f64::NAN)),
            ranks: self.target.as_ref().map(|_| Array3::from_elem(shape, f64::NAN)),
            kl: Array3::from_elem(shape, f64::NAN),
            top: (self.top > 0).then(|| Array3::from_elem(shape, Vec::new())),
            logits: Vec::new(),
            tokens: batch.sequences().to_vec(),
            places: places.clone(),
        };
        for (number, capture) in captures.iter().enumerate() {
            for sequence in 0..positions.n_sequences() {
                let residual = output.activations.get(capture, sequence)?;
                self.read_stream(
                    number,
                    sequence,
                    (model, batch),
                    (&residual, &output),
                    &mut readings,
                )?;
            }
        }
        Ok(readings)
    }

    /// One sequence at one place.
    ///
    /// # Shapes
    /// - residual: `[position, d_model]`
    fn read_stream(
        &self,
        number: usize,
        sequence: usize,
        (model, batch): (&Gpt2, &Batch),
        (residual, output): (&Tensor, &RunOutput),
        readings: &mut LensReadings,
    ) -> Result<()> {
        let at_once = Readout::rows_at_once(model.config().d_vocab);
        let positions = readings.positions(sequence)?.to_vec();
        let mut kept = Vec::new();
        for (chunk, positions) in positions.chunks(at_once).enumerate() {
            let (start, len) = (chunk * at_once, positions.len());
            let rows = |of: &Tensor| of.f_narrow(0, start as i64, len as i64);
            let readout = Readout::of(&model.unembed(&rows(residual)?)?)?;
            let run = readout.divergence_from(&rows(output.logits.tensor(sequence)?)?)?;
            for (row, divergence) in run.into_iter().enumerate() {
                readings.kl[[number, sequence, start + row]] = divergence;
            }
            if let Some(target) = &self.target {
                let tokens = positions.iter().map(|&position| target.at(batch, sequence, position));
                let tokens: Vec<Option<u32>> = tokens.collect();
                // Where there is none, that of another token is not taken.
                let any: Vec<u32> = tokens.iter().map(|token| token.unwrap_or(0)).collect();
                let (log_probs, ranks) = readout.of_tokens(&any)?;
                for row in (0..len).filter(|&row| tokens[row].is_some()) {
                    let index = [number, sequence, start + row];
                    readings.take_target(index, log_probs[row], ranks[row]);
                }
            }
            if let Some(top) = &mut readings.top {
                for row in 0..len {
                    top[[number, sequence, start + row]] = readout.top(row, self.top)?;
                }
            }
            if self.keep {
                kept.push(readout.logits());
            }
        }
        if self.keep {
            readings.logits.push(array(&Tensor::f_cat(&kept, 0)?)?);
        }
        Ok(())
    }
}

/// What the logit lens says of a run.
#[derive(Debug, Clone)]
pub struct LensReadings {
    places: Places,
    /// All of each sequence.
    tokens: Vec<Vec<u32>>,
    log_probs: Option<Array3<f64>>,
    ranks: Option<Array3<f64>>,
    kl: Array3<f64>,
    top: Option<Array3<Vec<RankedToken>>>,
    /// By site and sequence, `[position, d_vocab]` each.
    logits: Vec<Array2<f64>>,
}

impl LensReadings {
    fn take_target(&mut self, index: [usize; 3], log_prob: f64, rank: f64) {
        if let (Some(log_probs), Some(ranks)) = (&mut self.log_probs, &mut self.ranks) {
            log_probs[index] = log_prob;
            ranks[index] = rank;
        }
    }

    /// Where the stream was read, in execution order.
    pub fn sites(&self) -> &[Site] {
        &self.places.sites
    }

    /// The positions of one sequence that were read.
    ///
    /// # Errors
    /// [`NoSuchSequence`](crate::error::BatchError::NoSuchSequence).
    pub fn positions(&self, sequence: usize) -> Result<&[usize]> {
        self.places.positions.of(sequence)
    }

    /// The target's log-probability, in nats. NaN where a sequence has fewer positions than others, and where nothing
    /// follows in the text.
    ///
    /// # Shapes
    /// - result: `[site, sequence, position]`
    ///
    /// # Errors
    /// [`NotAsked`](LensError::NotAsked) without a target.
    pub fn log_probs(&self) -> Result<ArrayView3<'_, f64>> {
        of_target(&self.log_probs)
    }

    /// The target's rank, 0 for the most likely token; NaN as [`log_probs`](Self::log_probs).
    ///
    /// # Shapes
    /// - result: `[site, sequence, position]`
    ///
    /// # Errors
    /// [`NotAsked`](LensError::NotAsked) without a target.
    pub fn ranks(&self) -> Result<ArrayView3<'_, f64>> {
        of_target(&self.ranks)
    }

    /// The divergence of the run's own distribution from the lens's, `KL(run ‖ lens)`, in nats. NaN where a sequence
    /// has fewer positions than others.
    ///
    /// # Shapes
    /// - result: `[site, sequence, position]`
    pub fn kl(&self) -> ArrayView3<'_, f64> {
        self.kl.view()
    }

    /// The most likely tokens at one of the sites and one of the positions that were read, by their numbers among
    /// them.
    ///
    /// # Errors
    /// [`NotAsked`](LensError::NotAsked) without [`top`](LogitLens::top),
    /// [`NoSuchSequence`](crate::error::BatchError::NoSuchSequence) and
    /// [`IndexOutOfRange`](SelectionError::IndexOutOfRange).
    pub fn top(&self, site: usize, sequence: usize, position: usize) -> Result<&[RankedToken]> {
        let len = self.positions(sequence)?.len();
        self.check("site", site, self.sites().len())?;
        self.check("position", position, len)?;
        let not_asked = LensError::NotAsked { what: "a list of the most likely tokens", by: "top" };
        Ok(&self.top.as_ref().ok_or(not_asked)?[[site, sequence, position]])
    }

    /// The most likely token of each site and position in one sequence, and its probability, as text of 80 columns. Sites
    /// are called `0.resid_pre`; a token that the tokenizer does not have by its number, `#50300`.
    ///
    /// # Errors
    /// [`NotAsked`](LensError::NotAsked) without [`top`](LogitLens::top), and
    /// [`NoSuchSequence`](crate::error::BatchError::NoSuchSequence).
    pub fn table(&self, sequence: usize, tokenizer: &Tokenizer) -> Result<LensTable> {
        let piece = |token: u32| match tokenizer.decode(&[token]) {
            Ok(piece) => quoted(&piece),
            Err(_) => format!("#{token}"),
        };
        let positions = self.positions(sequence)?;
        let heading =
            |&position: &usize| format!("{position} {}", piece(self.tokens[sequence][position]));
        let mut rows =
            vec![[String::new()].into_iter().chain(positions.iter().map(heading)).collect()];
        for (number, site) in self.sites().iter().enumerate() {
            let mut row = vec![site.to_string().replace("blocks.", "").replace("hook_", "")];
            for position in 0..positions.len() {
                if let [likeliest, ..] = self.top(number, sequence, position)? {
                    let probability = likeliest.log_prob.exp();
                    row.push(format!("{} {probability:.2}", piece(likeliest.token)));
                }
            }
            rows.push(row);
        }
        Ok(LensTable::new(rows))
    }

    /// All logits of one sequence at one of the sites, by its number among them.
    ///
    /// # Shapes
    /// - result: `[position, d_vocab]`
    ///
    /// # Errors
    /// [`NotAsked`](LensError::NotAsked) without [`keep_logits`](LogitLens::keep_logits),
    /// [`NoSuchSequence`](crate::error::BatchError::NoSuchSequence) and
    /// [`IndexOutOfRange`](SelectionError::IndexOutOfRange).
    pub fn logits(&self, site: usize, sequence: usize) -> Result<ArrayView2<'_, f64>> {
        self.positions(sequence)?;
        self.check("site", site, self.sites().len())?;
        let number = site * self.places.positions.n_sequences() + sequence;
        let not_asked = LensError::NotAsked { what: "the array of logits", by: "keep_logits" };
        Ok(self.logits.get(number).ok_or(not_asked)?.view())
    }

    fn check(&self, axis: &'static str, given: usize, len: usize) -> Result<()> {
        if given < len {
            return Ok(());
        }
        Err(SelectionError::IndexOutOfRange { axis, given, len }.into())
    }
}

fn of_target(values: &Option<Array3<f64>>) -> Result<ArrayView3<'_, f64>> {
    let not_asked = LensError::NotAsked { what: "a target", by: "target" };
    Ok(values.as_ref().ok_or(not_asked)?.view())
}
