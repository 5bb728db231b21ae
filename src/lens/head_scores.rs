//! What heads look at, by their attention patterns.

use ndarray::{Array2, Array3, Ix1, Ix2, s};
use tch::{Kind, Tensor};

use super::arrays::{array, double};
use crate::error::{Error, Result};
use crate::hook::Site;
use crate::model::Run;

/// What each head looks at in each sequence, read off its attention pattern.
///
/// With `A[q, k]` the pattern and `t` the tokens, the first three are TransformerLens's `detect_head` (error measure
/// `mul`): the share of all attention that goes to certain pairs of query and key,
///
/// ```text
/// score = Σ_(q, k) A[q, k] M[q, k] / Σ_(q, k) A[q, k]
///
/// previous_token     M[q, k] = 1 where k = q - 1
/// duplicate_token    M[q, k] = 1 where k < q and t[k] = t[q]
/// induction          M[q, k] = 1 where 1 ≤ k ≤ q and t[k - 1] = t[q], k - 1 < q
/// ```
///
/// so that a head which always looks at a duplicate scores no more than the share of the queries that have one. The others
/// are means over queries:
///
/// ```text
/// prefix_matching    mean over the q that have such a k of  Σ_k A[q, k] M_induction[q, k]    (Olsson et al. 2022)
/// first_token        mean over q ≥ 1 of  A[q, 0]
/// entropy            mean over q ≥ 1 of  -Σ_k A[q, k] ln A[q, k], in nats
/// ```
///
/// The query at 0 sees itself alone, and says nothing. Of a sequence of one token `first_token` and `entropy` are NaN,
/// and `prefix_matching` is where no query has anything to match; the first three are 0. Induction heads are looked for
/// on random tokens that come twice.
///
/// Hooks may leave a pattern that is no distribution. A score that is then no finite number is NaN, such as the first
/// three where no attention is left, and `entropy` where some is negative.
///
/// All patterns are captured in one run: `n_layers n_heads pos²` numbers.
///
/// ```
/// use hooked_gpt2::lens::HeadScores;
/// # use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, tch::Device};
/// # let checkpoint = Checkpoint::bundled()?;
/// # let (model, _) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
/// let tokens: Vec<u32> = (0..50).map(|n| (n % 25) * 257 % 8191).collect();
/// let scores = HeadScores::read(model.run(&Batch::single(tokens)?))?;
/// println!("head 3 of layer 5: {:.2}", scores.prefix_matching[[5, 3, 0]]);
/// # assert_eq!(scores.entropy.dim(), (12, 4, 1));
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
#[doc(alias("detect_head", "head_detector"))]
pub struct HeadScores {
    /// Attention to the token before: `[layer, head, sequence]`.
    pub previous_token: Array3<f64>,
    /// Attention to earlier copies of the token: `[layer, head, sequence]`.
    pub duplicate_token: Array3<f64>,
    /// Attention to what came after earlier copies of the token: `[layer, head, sequence]`.
    pub induction: Array3<f64>,
    /// The same by the queries that have an earlier copy: `[layer, head, sequence]`.
    pub prefix_matching: Array3<f64>,
    /// Attention to the first token: `[layer, head, sequence]`.
    pub first_token: Array3<f64>,
    /// How spread out attention is, in nats: `[layer, head, sequence]`.
    pub entropy: Array3<f64>,
}

impl HeadScores {
    /// Runs the model as far as its last pattern, and scores all heads.
    ///
    /// # Errors
    /// Those of [`Run::execute`].
    pub fn read(run: Run<'_>) -> Result<Self> {
        let (config, batch) = (run.model().config(), run.batch());
        let patterns: Vec<Site> = (0..config.n_layers).map(Site::pattern).collect();
        let kept = run.capture(&patterns).without_logits().execute()?.activations;
        let shape = (config.n_layers, config.n_heads, batch.sequences().len());
        let nan = || Array3::from_elem(shape, f64::NAN);
        let mut scores = Self {
            previous_token: nan(),
            duplicate_token: nan(),
            induction: nan(),
            prefix_matching: nan(),
            first_token: nan(),
            entropy: nan(),
        };
        for (sequence, tokens) in batch.sequences().iter().enumerate() {
            let pairs = Pairs::of(tokens)?;
            for (layer, &site) in patterns.iter().enumerate() {
                let pattern = double(&kept.get(site, sequence)?)?;
                let index = s![layer, .., sequence];
                let [previous, duplicate, induction, matching] = pairs.attention(&pattern)?;
                scores.previous_token.slice_mut(index).assign(&previous);
                scores.duplicate_token.slice_mut(index).assign(&duplicate);
                scores.induction.slice_mut(index).assign(&induction);
                scores.prefix_matching.slice_mut(index).assign(&matching);
                let later = pattern.f_narrow(1, 1, tokens.len() as i64 - 1)?;
                let mean = |of_queries: Tensor| -> Result<_> {
                    array::<Ix1>(&of_queries.f_mean_dim(-1, false, None::<Kind>)?)
                };
                if tokens.len() > 1 {
                    scores.first_token.slice_mut(index).assign(&mean(later.f_select(2, 0)?)?);
                    let entropy = later.f_special_entr()?;
                    let entropy = entropy.f_sum_dim_intlist(-1, false, None::<Kind>)?;
                    scores.entropy.slice_mut(index).assign(&mean(entropy)?);
                }
            }
        }
        for scores in scores.all_mut() {
            scores.mapv_inplace(|score| if score.is_finite() { score } else { f64::NAN });
        }
        Ok(scores)
    }

    fn all_mut(&mut self) -> [&mut Array3<f64>; 6] {
        let Self { previous_token, duplicate_token, induction, prefix_matching, .. } = self;
        [
            previous_token,
            duplicate_token,
            induction,
            prefix_matching,
            &mut self.first_token,
            &mut self.entropy,
        ]
    }
}

/// The pairs of query and key that are looked for in a sequence.
struct Pairs {
    /// Previous token, duplicate token, induction: `[3, query_pos · key_pos]`.
    masks: Tensor,
    /// How many queries have a key that induction looks for.
    matching: usize,
}

impl Pairs {
    fn of(tokens: &[u32]) -> Result<Self> {
        let n = tokens.len();
        let mask = |holds: &dyn Fn(usize, usize) -> bool| {
            Array2::from_shape_fn((n, n), |(q, k)| f64::from(u8::from(holds(q, k))))
        };
        let is_copy = |q: usize, k: usize| k < q && tokens[k] == tokens[q];
        let previous = mask(&|q, k| k + 1 == q);
        let duplicate = mask(&is_copy);
        let induction = mask(&|q, k| k >= 1 && k <= q && is_copy(q, k - 1));
        let matching = induction.outer_iter().filter(|row| row.sum() > 0.0).count();
        let masks: Vec<f64> = [previous, duplicate, induction].into_iter().flatten().collect();
        Ok(Self { masks: Tensor::f_from_slice(&masks)?.f_view([3, -1])?, matching })
    }

    /// The scores by these pairs, `[head]` each.
    ///
    /// # Shapes
    /// - pattern: `[head, query_pos, key_pos]`
    fn attention(&self, pattern: &Tensor) -> Result<[ndarray::Array1<f64>; 4]> {
        let flat = pattern.f_flatten(1, 2)?;
        let found: Array2<f64> = array::<Ix2>(&self.masks.f_matmul(&flat.f_transpose(0, 1)?)?)?; // [3, head]
        let all = array::<Ix1>(&flat.f_sum_dim_intlist(-1, false, None::<Kind>)?)?;
        let mut rows = found.outer_iter();
        let mut next = || rows.next().ok_or_else(|| Error::Bug("too few masks".to_owned()));
        let (previous, duplicate, induction) = (next()?, next()?, next()?);
        let matching = match self.matching {
            0 => induction.mapv(|_| f64::NAN),
            count => &induction / count as f64,
        };
        Ok([&previous / &all, &duplicate / &all, &induction / &all, matching])
    }
}
