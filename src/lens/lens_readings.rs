//! What the logit lens says of a run.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3};

use super::lens_table::{LensTable, quoted};
use super::read_at::Places;
use crate::analysis::rank::RankedToken;
use crate::error::{LensError, Result, SelectionError};
use crate::hook::Site;
use crate::tokenizer::Tokenizer;

/// What the logit lens says of a run.
#[derive(Debug, Clone)]
pub struct LensReadings {
    pub(super) places: Places,
    /// All of each sequence.
    pub(super) tokens: Vec<Vec<u32>>,
    pub(super) log_probs: Option<Array3<f64>>,
    pub(super) ranks: Option<Array3<f64>>,
    pub(super) kl: Array3<f64>,
    pub(super) top: Option<Array3<Vec<RankedToken>>>,
    /// By site and sequence, `[position, d_vocab]` each.
    pub(super) logits: Vec<Array2<f64>>,
}

impl LensReadings {
    pub(super) fn take_target(&mut self, index: [usize; 3], log_prob: f64, rank: f64) {
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
    /// [`NotAsked`](LensError::NotAsked) without [`top`](super::LogitLens::top),
    /// [`NoSuchSequence`](crate::error::BatchError::NoSuchSequence) and
    /// [`IndexOutOfRange`](SelectionError::IndexOutOfRange).
    pub fn top(&self, site: usize, sequence: usize, position: usize) -> Result<&[RankedToken]> {
        let len = self.positions(sequence)?.len();
        self.check("site", site, self.sites().len())?;
        self.check("position", position, len)?;
        let not_asked = LensError::NotAsked { what: "the most likely tokens", by: "top" };
        Ok(&self.top.as_ref().ok_or(not_asked)?[[site, sequence, position]])
    }

    /// The most likely token of each site and position in one sequence, and its probability, as text of 80 columns. Sites
    /// are called `0.resid_pre`; a token that the tokenizer does not have by its number, `#50300`.
    ///
    /// # Errors
    /// [`NotAsked`](LensError::NotAsked) without [`top`](super::LogitLens::top), and
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
    /// [`NotAsked`](LensError::NotAsked) without [`keep_logits`](super::LogitLens::keep_logits),
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
