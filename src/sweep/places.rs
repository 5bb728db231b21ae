//! Ready-made patches at positions, and at places that lie elsewhere in each sequence.

use std::ops::Range;

use tch::Tensor;

use super::replacement::Replacement;
use super::standard::{cut, entry, head_axis, only};
use super::variants::{Axis, Variants};
use crate::batch::Batch;
use crate::config::Config;
use crate::error::{Result, SweepError};
use crate::hook::{Positions, Selected};
use crate::site::Site;

/// What is patched one by one: the axis that names them, and the tokens of each in each sequence.
struct Places {
    axis: Axis,
    tokens: Vec<Vec<Range<usize>>>,
}

impl Places {
    /// Each position, of sequences of one length.
    fn positions(batch: &Batch) -> Result<Self> {
        let sequences = batch.sequences();
        let first = sequences[0].len();
        if let Some(other) = sequences.iter().map(Vec::len).find(|&len| len != first) {
            return Err(SweepError::UnequalLengths { first, other }.into());
        }
        let tokens = (0..first).map(|position| vec![entry(position); sequences.len()]);
        Ok(Self { axis: Axis::counting("position", first), tokens: tokens.collect() })
    }

    /// Each of some that have names.
    fn named(places: &[(impl AsRef<str>, Vec<Range<usize>>)], batch: &Batch) -> Result<Self> {
        let needed = batch.sequences().len();
        for (name, of_sequences) in places {
            let given = of_sequences.len();
            if given != needed {
                let place = name.as_ref().to_owned();
                return Err(SweepError::PlaceCount { place, given, needed }.into());
            }
            for (sequence, tokens) in of_sequences.iter().enumerate() {
                let len = batch.sequences()[sequence].len();
                Positions::range(tokens.clone()).indices(len, sequence)?;
            }
        }
        let axis = Axis::new("place", places.iter().map(|(name, _)| name.as_ref()));
        Ok(Self { axis, tokens: places.iter().map(|(_, tokens)| tokens.clone()).collect() })
    }
}

impl Variants {
    /// A site of each block patched at each position, of attention at each query position: axes `layer` and
    /// `position`. `site` is one of a block: `Site::resid_pre`, `attn_out`, `mlp_post` and the like.
    ///
    /// # Errors
    /// [`SweepError::UnequalLengths`], those of [`over`](Self::over), and those of looking the replacement up.
    pub fn patched_positions(
        config: &Config,
        site: impl Fn(usize) -> Site,
        with: Replacement<'_>,
        batch: &Batch,
    ) -> Result<Self> {
        Self::patched_at(config, site, Places::positions(batch)?, with, batch)
    }

    /// The same at places that lie elsewhere in each sequence, such as the subject or the last token: axes `layer` and
    /// `place`. Sequences may be of any lengths.
    ///
    /// Each place is a name with the tokens where it is in each sequence of `batch`: [`Prompts::places`] gives those of
    /// its examples. What takes their place from another run is what that has at the same positions.
    ///
    /// ```
    /// # use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, tch::Device};
    /// use hooked_gpt2::hook::Site;
    /// use hooked_gpt2::sweep::{Replacement, Variants};
    ///
    /// # let checkpoint = Checkpoint::bundled()?;
    /// # let (model, _) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?;
    /// # let config = model.config();
    /// let batch = Batch::new([vec![5, 6, 7, 8], vec![9, 10, 11]])?;
    /// let places = [("subject", vec![1..3, 0..1]), ("END", vec![3..4, 2..3])];
    /// let variants = Variants::patched_places(config, Site::attn_out, &places, Replacement::Zero, &batch)?;
    /// assert_eq!(variants.n_points(), config.n_layers * 2);
    /// # Ok::<(), hooked_gpt2::Error>(())
    /// ```
    ///
    /// [`Prompts::places`]: crate::data::Prompts::places
    ///
    /// # Errors
    /// [`SweepError::PlaceCount`] for a place that is not named in each sequence once,
    /// [`PositionOutOfRange`](crate::error::SelectionError::PositionOutOfRange) and
    /// [`EmptySelection`](crate::error::SelectionError::EmptySelection) for one that is not in its sequence, those of
    /// [`over`](Self::over), and those of looking the replacement up.
    pub fn patched_places(
        config: &Config,
        site: impl Fn(usize) -> Site,
        places: &[(impl AsRef<str>, Vec<Range<usize>>)],
        with: Replacement<'_>,
        batch: &Batch,
    ) -> Result<Self> {
        Self::patched_at(config, site, Places::named(places, batch)?, with, batch)
    }

    /// A site of each head patched at each position, of attention at each query position: axes `layer`,
    /// `head` and `position`.
    ///
    /// # Errors
    /// Those of [`patched_heads`](Self::patched_heads), and [`SweepError::UnequalLengths`].
    pub fn patched_head_positions(
        config: &Config,
        site: impl Fn(usize) -> Site,
        with: Replacement<'_>,
        batch: &Batch,
    ) -> Result<Self> {
        Self::patched_heads_at(config, site, Places::positions(batch)?, with, batch)
    }

    /// The same at [places](Self::patched_places) that lie elsewhere in each sequence: axes `layer`, `head` and `place`.
    ///
    /// # Errors
    /// Those of [`patched_heads`](Self::patched_heads) and [`patched_places`](Self::patched_places).
    pub fn patched_head_places(
        config: &Config,
        site: impl Fn(usize) -> Site,
        places: &[(impl AsRef<str>, Vec<Range<usize>>)],
        with: Replacement<'_>,
        batch: &Batch,
    ) -> Result<Self> {
        Self::patched_heads_at(config, site, Places::named(places, batch)?, with, batch)
    }

    fn patched_at(
        config: &Config,
        site: impl Fn(usize) -> Site,
        Places { axis, tokens }: Places,
        with: Replacement<'_>,
        batch: &Batch,
    ) -> Result<Self> {
        let axes = [Axis::counting("layer", config.n_layers), axis];
        Self::over(
            axes,
            |index, sequence| {
                let (site, tokens) = (site(index[0]), tokens[index[1]][sequence].clone());
                let positions = Positions::range(tokens.clone());
                let narrow =
                    |whole: Tensor| cut(&whole, "position", position_axis(site), tokens.clone());
                let selected = Selected { positions, ..Selected::whole(site) };
                with.hook(selected, (batch, sequence), narrow).map(only)
            },
            batch,
        )
    }

    fn patched_heads_at(
        config: &Config,
        site: impl Fn(usize) -> Site,
        Places { axis, tokens }: Places,
        with: Replacement<'_>,
        batch: &Batch,
    ) -> Result<Self> {
        head_axis(site(0))?;
        let axes = [
            Axis::counting("layer", config.n_layers),
            Axis::counting("head", config.n_heads),
            axis,
        ];
        Self::over(
            axes,
            |index, sequence| {
                let whole = Selected::whole(site(index[0]));
                let tokens = tokens[index[2]][sequence].clone();
                let (heads, positions) = (Some(vec![index[1]]), Positions::range(tokens.clone()));
                let (axis, along) = (head_axis(whole.site)?, position_axis(whole.site));
                let narrow = |whole: Tensor| {
                    let head = cut(&whole, "head", axis, entry(index[1]))?;
                    cut(&head, "position", along, tokens.clone())
                };
                with.hook(Selected { heads, positions, ..whole }, (batch, sequence), narrow)
                    .map(only)
            },
            batch,
        )
    }
}

/// Which axis of one sequence's tensor counts positions, of attention those of the queries.
fn position_axis(site: Site) -> usize {
    site.shape().positions() - 1
}
