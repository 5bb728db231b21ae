//! Whether heads make the tokens of a text likelier that they attend to.

use ndarray::Array2;
use tch::Tensor;

use super::arrays::double;
use super::read_at::ReadPositions;
use super::readout::Readout;
use crate::error::{AnalysisError, Result};
use crate::hook::{Capture, Positions, Site};
use crate::model::{Parameter, Run};

/// The copy score of each head: how often a head that attends to nothing but a token brings that very token among the `k`
/// likeliest (Wang et al., "Interpretability in the Wild: a Circuit for Indirect Object Identification in GPT-2 small",
/// 2022, whose tokens are names, and `k` is 5).
///
/// ```text
/// written = (ln1(x) W_V + b_V) W_O,   x the residual stream behind block 0,   ln1 that of the head's block
/// score   = share of the tokens whose rank by ln_final(written) W_U is less than k
/// ```
///
/// of the tokens at `positions` of all sequences. From 0 to 1; a head that says nothing of the token has some
/// `k / d_vocab`. Where [`copying_scores`](super::copying_scores) look at the weights alone, these see tokens as the model
/// has them once the first block has read them. Equal logits rank in the order of their ids.
///
/// Each head unembeds each token: choose some hundred.
///
/// # Shapes
/// - result: `[layer, head]`
///
/// # Errors
/// [`TopKOutOfRange`](AnalysisError::TopKOutOfRange) unless `k` is 1 to `d_vocab`,
/// [`PositionOutOfRange`](crate::error::SelectionError::PositionOutOfRange), [`BadValue`](AnalysisError::BadValue) where
/// what a head writes is not finite, and those of [`Run::execute`].
///
/// ```
/// use hooked_gpt2::hook::Positions;
/// use hooked_gpt2::lens::copy_scores;
/// # use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, tch::Device};
/// # let checkpoint = Checkpoint::bundled()?;
/// # let (model, _) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
/// # let tokenizer = checkpoint.tokenizer()?;
/// let prompt = Batch::single(tokenizer.encode("She was a very happy girl")?)?;
/// let scores = copy_scores(model.run(&prompt), &Positions::all(), 5)?;
/// println!("head 3 of layer 5 copies {:.2} of the tokens", scores[[5, 3]]);
/// # assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)));
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[doc(alias = "copy_score")]
pub fn copy_scores(run: Run<'_>, positions: &Positions, k: usize) -> Result<Array2<f64>> {
    let (model, batch) = (run.model(), run.batch());
    let config = model.config();
    if k == 0 || k > config.d_vocab {
        return Err(AnalysisError::TopKOutOfRange { given: k, allowed: config.d_vocab }.into());
    }
    let read = ReadPositions::new(positions, batch)?;
    let behind = Capture::new(Site::resid_post(0)).positions(positions.clone());
    let kept = run.capture([&behind]).without_logits().execute()?.activations;
    let (mut streams, mut tokens) = (Vec::new(), Vec::new());
    for (sequence, all) in batch.sequences().iter().enumerate() {
        streams.push(double(&kept.get(&behind, sequence)?)?);
        tokens.extend(read.of(sequence)?.iter().map(|&position| all[position]));
    }
    let streams = Tensor::f_cat(&streams, 0)?; // [token, d_model]
    let at_once = Readout::rows_at_once(config.d_vocab);
    let mut scores = Array2::zeros((config.n_layers, config.n_heads));
    for layer in 0..config.n_layers {
        let weight = |of: fn(usize) -> Parameter| double(&model.parameter(of(layer))?);
        let (gain, bias) = (weight(Parameter::ln1_w)?, weight(Parameter::ln1_b)?);
        let (width, epsilon) = ([config.d_model as i64], config.layer_norm_epsilon);
        let read = streams.f_layer_norm(width, Some(&gain), Some(&bias), epsilon, false)?;
        let values = read.f_matmul(&weight(Parameter::w_v)?)?; // [head, token, d_head]
        let values = values.f_add(&weight(Parameter::b_v)?.f_unsqueeze(1)?)?;
        let written = values.f_matmul(&weight(Parameter::w_o)?)?; // [head, token, d_model]
        let written = written.f_to_kind(model.precision().kind())?.f_to_device(model.device())?;
        for head in 0..config.n_heads {
            let of_head = written.f_get(head as i64)?;
            let mut copied = 0;
            for (chunk, tokens) in tokens.chunks(at_once).enumerate() {
                let (start, len) = (chunk * at_once, tokens.len());
                let rows = of_head.f_narrow(0, start as i64, len as i64)?;
                let (_, ranks) = Readout::of(&model.unembed(&rows)?)?.of_tokens(tokens)?;
                copied += ranks.into_iter().filter(|&rank| rank < k as f64).count();
            }
            scores[[layer, head]] = copied as f64 / tokens.len() as f64;
        }
    }
    Ok(scores)
}
