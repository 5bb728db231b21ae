//! Generation with its cache, against whole runs over the same text.

use std::sync::mpsc;

use tch::Tensor;

use super::difference::{largest, largest_difference};
use super::identity::{Bound, Identity};
use super::roundings;
use super::subject::Subject;
use super::tally::Tally;
use crate::batch::Batch;
use crate::error::Result;
use crate::hook::At;
use crate::intervention::Interventions;

/// The longest continuation: the first token is from the prompt, the others are from the cache.
const NEW_TOKENS: usize = 5;

/// A position that generation computed: sequence, position, its logits `[d_vocab]`.
type Seen = (usize, usize, Tensor);

/// The logits that generation computes at each position, and the tokens that it chooses.
///
/// Text by text, the whole run reads what was generated. So it is asked at each step about the same past,
/// even where a tie fell the other way before.
pub(super) fn check(subject: &Subject<'_>) -> Result<[Identity; 2]> {
    let mut logits = Tally::new("generation with a cache has the logits of a whole run");
    let mut tokens = Tally::new("generation chooses the most likely token of a whole run");
    let (generated, seen) = generate(subject)?;
    for (sequence, prompt) in subject.batch.sequences().iter().enumerate() {
        let new = &generated[sequence];
        // The last token is chosen and not computed any more.
        let text = [prompt, &new[..new.len() - 1]].concat();
        let text = Batch::single(text)?;
        let whole = subject.model.run(&text).execute()?.logits;
        let whole = whole.tensor(0)?;
        let allowed = roundings::of_logits(subject.model.precision(), largest(whole)?);
        for (_, position, cached) in seen.iter().filter(|(of, ..)| *of == sequence) {
            let difference = largest_difference(cached, &whole.f_get(*position as i64)?)?;
            let at = format!("position {position} of sequence {sequence}");
            logits.book(difference, Bound::AtMost(allowed), at);
        }
        for (step, &token) in new.iter().enumerate() {
            let position = prompt.len() - 1 + step;
            let row = whole.f_get(position as i64)?;
            let gap = row.f_max()?.f_sub(&row.f_get(i64::from(token))?)?.f_double_value(&[])?;
            let at = format!("position {position} of sequence {sequence}");
            // Of tokens as likely as each other but for roundings, either may be chosen: the best one may
            // have lost a rounding, and the chosen one have gained one.
            tokens.book(gap, Bound::AtMost(2.0 * allowed), at);
        }
    }
    Ok([logits.finish(), tokens.finish()])
}

/// Continues every sequence, and looks at the logits on the way.
fn generate(subject: &Subject<'_>) -> Result<(Vec<Vec<u32>>, Vec<Seen>)> {
    let longest = subject.batch.sequences().iter().map(Vec::len).max().unwrap_or_default();
    let new_tokens = NEW_TOKENS.min(subject.model.config().n_ctx + 1 - longest);
    let (sender, receiver) = mpsc::channel();
    let mut watch = Interventions::new();
    watch.edit("watch", At::unembed(), move |logits, part| {
        for (row, &sequence) in part.sequences.iter().enumerate() {
            for (column, &position) in part.positions.iter().enumerate() {
                let here = logits.f_get(row as i64)?.f_get(column as i64)?;
                // The receiver outlives the generation.
                let _ = sender.send((sequence, position, here));
            }
        }
        Ok(logits.f_alias_copy()?)
    });
    let generated = subject.model.generate(&subject.batch, new_tokens).hooks(&watch).execute()?;
    Ok((generated.tokens, receiver.try_iter().collect()))
}
