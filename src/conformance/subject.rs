//! The model under test, what it reads, and its clean run.

use tch::{Device, Tensor};

use super::difference::of_logits;
use super::tally::Tally;
use crate::batch::Batch;
use crate::checkpoint::Checkpoint;
use crate::config::Config;
use crate::error::Result;
use crate::model::{Gpt2, Logits, Run};
use crate::precision::Precision;
use crate::site::Site;

/// Lengths of the sequences: short ones, since what is checked does not depend on length; different ones,
/// the first of several positions; one of a single position, where attention has nothing to choose.
const LENGTHS: [usize; 3] = [5, 1, 3];

pub(super) struct Subject<'a> {
    pub checkpoint: &'a Checkpoint,
    pub model: Gpt2,
    pub batch: Batch,
    /// The logits of the clean run.
    pub clean: Logits,
    /// What enters each block in the clean run, sequence by sequence. All that is kept of it.
    residuals: Vec<Vec<Tensor>>,
}

impl<'a> Subject<'a> {
    pub fn new(checkpoint: &'a Checkpoint, precision: Precision, device: Device) -> Result<Self> {
        let (model, _) = Gpt2::load(checkpoint, precision, device)?;
        let batch = batch(model.config())?;
        let n_layers = model.config().n_layers;
        let run = model.run(&batch).capture((0..n_layers).map(Site::resid_pre));
        let output = run.execute()?;
        let residuals = (0..n_layers)
            .map(|layer| {
                let site = Site::resid_pre(layer);
                (0..LENGTHS.len()).map(|sequence| output.activations.get(site, sequence)).collect()
            })
            .collect::<Result<_>>()?;
        Ok(Self { checkpoint, model, batch, clean: output.logits, residuals })
    }

    pub fn n_sequences(&self) -> usize {
        self.batch.sequences().len()
    }

    /// The sites before the blocks, or those of a block; with the last one those after the blocks.
    pub fn sites(&self, layer: Option<usize>) -> Vec<Site> {
        let n_layers = self.model.config().n_layers;
        let of = |site: Site| match site.layer() {
            None if site < Site::resid_pre(0) => None,
            None => Some(n_layers - 1),
            layer => layer,
        };
        Site::all(n_layers).filter(|&site| of(site) == layer).collect()
    }

    /// What enters block `layer` in the clean run, sequence by sequence.
    pub fn residuals(&self, layer: usize) -> &[Tensor] {
        &self.residuals[layer]
    }

    /// A run from block `layer` on, or from the beginning: an edit needs nothing of the blocks before.
    pub fn run_from(&self, layer: Option<usize>) -> Run<'_> {
        let run = self.model.run(&self.batch);
        match layer {
            Some(layer) => run.resume(layer, self.residuals(layer)),
            None => run,
        }
    }

    /// Compares logits of the batch that may differ by roundings.
    pub fn compare(&self, tally: &mut Tally, a: &Logits, b: &Logits, at: &str) -> Result<()> {
        for sequence in 0..self.n_sequences() {
            let (a, b) = (a.tensor(sequence)?, b.tensor(sequence)?);
            let (difference, allowed) = of_logits(&self.model, a, b)?;
            tally.book(difference, allowed, format_args!("{at}, sequence {sequence}"));
        }
        Ok(())
    }
}

/// Sequences of tokens from all over the vocabulary, no two alike.
fn batch(config: &Config) -> Result<Batch> {
    // Room for a continuation.
    let longest = config.n_ctx.div_ceil(2);
    let token = |number: usize| {
        // Knuth's multiplicative hash: neighbours come to lie far apart.
        let hash = (number as u64 + 1).wrapping_mul(2_654_435_761) % (1 << 32);
        (hash % config.d_vocab as u64) as u32
    };
    let sequence = |(number, len): (usize, usize)| -> Vec<u32> {
        let first = LENGTHS[..number].iter().sum::<usize>();
        (first..first + len.min(longest)).map(token).collect()
    };
    Batch::new(LENGTHS.into_iter().enumerate().map(sequence))
}
