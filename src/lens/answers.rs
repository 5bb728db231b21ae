//! The tokens whose logits are attributed.

use crate::error::{BatchError, LensError, Result};

/// One sequence's right answers, and its wrong ones if there are any.
///
/// What is attributed is the mean logit of the right ones less that of the wrong ones, if any. Of a single token it is
/// its logit; a token makes one of itself, and a pair a difference:
///
/// ```
/// # use hooked_gpt2::lens::Answers;
/// assert_eq!(Answers::from(5), Answers::new([5], []));
/// assert_eq!(Answers::from((5, 7)), Answers::new([5], [7]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    right: Vec<u32>,
    wrong: Vec<u32>,
}

impl Answers {
    /// Several right answers, at least one, and wrong ones, possibly none.
    pub fn new(right: impl Into<Vec<u32>>, wrong: impl Into<Vec<u32>>) -> Self {
        Self { right: right.into(), wrong: wrong.into() }
    }

    /// What each token's logit is multiplied with.
    ///
    /// # Errors
    /// [`NoRightAnswer`](LensError::NoRightAnswer) and
    /// [`TokenOutOfRange`](BatchError::TokenOutOfRange).
    pub(super) fn weights(&self, sequence: usize, d_vocab: usize) -> Result<Vec<(u32, f64)>> {
        if self.right.is_empty() {
            return Err(LensError::NoRightAnswer { sequence }.into());
        }
        let of = |tokens: &[u32], sign: f64| {
            let share = sign / tokens.len() as f64;
            tokens.iter().map(move |&token| (token, share)).collect::<Vec<_>>()
        };
        let weights = [of(&self.right, 1.0), of(&self.wrong, -1.0)].concat();
        match weights.iter().find(|(token, _)| *token as usize >= d_vocab) {
            Some(&(given, _)) => Err(BatchError::TokenOutOfRange { given, d_vocab }.into()),
            None => Ok(weights),
        }
    }
}

/// One token.
impl From<u32> for Answers {
    fn from(token: u32) -> Self {
        Self::new([token], [])
    }
}

/// A right token and a wrong one.
impl From<(u32, u32)> for Answers {
    fn from((right, wrong): (u32, u32)) -> Self {
        Self::new([right], [wrong])
    }
}
