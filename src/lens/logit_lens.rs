//! Residual streams, read as if they were the last.

use ndarray::Array3;
use tch::Tensor;

use super::arrays::array;
use super::lens_readings::LensReadings;
use super::read_at::{Places, ReadAt};
use super::readout::Readout;
use super::target::Target;
use crate::batch::Batch;
use crate::error::{AnalysisError, Result};
use crate::hook::{Positions, Site};
use crate::model::{Gpt2, Run, RunOutput};

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
    /// [`LensError::Site`](crate::error::LensError::Site) for a site with other axes and [`NoSites`](crate::error::LensError::NoSites) for none;
    /// [`OneForEach`](crate::error::LensError::OneForEach), [`TokenOutOfRange`](crate::error::BatchError::TokenOutOfRange) and
    /// [`PositionOutOfRange`](crate::error::SelectionError::PositionOutOfRange);
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
