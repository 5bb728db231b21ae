//! A site and a part of its tensor, typed by the tensor's axes: "head 3 of resid_post" does not
//! compile.

use std::fmt;
use std::marker::PhantomData;

use super::{Axes, Positions, Site};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::segment::SegmentGroup;

/// Marks sites of axes `[batch, pos, d_model]`.
#[derive(Debug, Clone, Copy)]
pub enum Residual {}
/// Marks sites of axes `[batch, pos, head, …]`.
#[derive(Debug, Clone, Copy)]
pub enum HeadVectors {}
/// Marks sites of axes `[batch, head, query_pos, key_pos]`.
#[derive(Debug, Clone, Copy)]
pub enum Attention {}
/// Marks sites of axes `[batch, pos, d_mlp]`.
#[derive(Debug, Clone, Copy)]
pub enum Neurons {}
/// Marks sites of axes `[batch, pos, 1]`.
#[derive(Debug, Clone, Copy)]
pub enum PerPosition {}
/// Marks sites of axes `[batch, pos, d_vocab]`.
#[derive(Debug, Clone, Copy)]
pub enum Vocabulary {}

mod sealed {
    /// Sites with one position axis.
    pub trait Positional {}
    /// Sites with a head axis.
    pub trait PerHead {}
    /// Sites whose last axis counts channels of a vector.
    pub trait Channels {}
}
use sealed::{Channels, PerHead, Positional};

impl Positional for Residual {}
impl Positional for HeadVectors {}
impl Positional for Neurons {}
impl Positional for PerPosition {}
impl Positional for Vocabulary {}
impl PerHead for HeadVectors {}
impl PerHead for Attention {}
impl Channels for Residual {}
impl Channels for HeadVectors {}

/// A site and the part of its tensor that a hook edits: all of it, until narrowed.
///
/// ```
/// # use hooked_gpt2::hook::{At, Positions};
/// let head = At::z(9).heads([6]).positions(Positions::last());
/// let edge = At::pattern(9).heads([6]).queries(Positions::last()).keys(Positions::at(3));
/// let neurons = At::mlp_post(4).neurons([17, 300]);
/// assert_eq!(head.to_string(), "blocks.9.attn.hook_z, heads [6], positions last");
/// ```
///
/// What a site does not have cannot be selected:
///
/// ```compile_fail
/// # use hooked_gpt2::hook::At;
/// At::resid_post(2).heads([3]);
/// ```
#[derive(Debug, Clone)]
pub struct At<Class> {
    selected: Selected,
    class: PhantomData<Class>,
}

/// A site and a part of its tensor, whatever its axes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selected {
    pub site: Site,
    sequences: Option<Vec<usize>>,
    heads: Option<Vec<usize>>,
    /// Of attention: the query positions.
    positions: Positions,
    keys: Positions,
    /// Channels, neurons or tokens.
    last_axis: Option<Vec<usize>>,
}

impl<Class> At<Class> {
    pub(super) fn whole(site: Site) -> Self {
        let selected = Selected {
            site,
            sequences: None,
            heads: None,
            positions: Positions::all(),
            keys: Positions::all(),
            last_axis: None,
        };
        Self { selected, class: PhantomData }
    }

    /// Only these sequences of the batch.
    pub fn sequences(mut self, sequences: impl IntoIterator<Item = usize>) -> Self {
        self.selected.sequences = Some(sorted(sequences));
        self
    }

    pub(super) fn into_selected(self) -> Selected {
        self.selected
    }
}

impl<Class: Positional> At<Class> {
    /// Only these positions.
    pub fn positions(mut self, positions: Positions) -> Self {
        self.selected.positions = positions;
        self
    }
}

impl<Class: PerHead> At<Class> {
    /// Only these heads.
    pub fn heads(mut self, heads: impl IntoIterator<Item = usize>) -> Self {
        self.selected.heads = Some(sorted(heads));
        self
    }
}

impl<Class: Channels> At<Class> {
    /// Only these channels of each vector.
    pub fn channels(mut self, channels: impl IntoIterator<Item = usize>) -> Self {
        self.selected.last_axis = Some(sorted(channels));
        self
    }
}

impl At<Attention> {
    /// Only attention from these positions, the destinations.
    pub fn queries(mut self, positions: Positions) -> Self {
        self.selected.positions = positions;
        self
    }

    /// Only attention to these positions, the sources.
    pub fn keys(mut self, positions: Positions) -> Self {
        self.selected.keys = positions;
        self
    }
}

impl At<Neurons> {
    /// Only these neurons.
    pub fn neurons(mut self, neurons: impl IntoIterator<Item = usize>) -> Self {
        self.selected.last_axis = Some(sorted(neurons));
        self
    }
}

impl At<Vocabulary> {
    /// Only the logits of these tokens.
    pub fn tokens(mut self, tokens: impl IntoIterator<Item = usize>) -> Self {
        self.selected.last_axis = Some(sorted(tokens));
        self
    }
}

/// What is selected along each axis of a group's tensor; `None` for the whole axis.
pub(super) type Indices = [Option<Vec<usize>>; 4];

impl Selected {
    /// The selection within the tensor of `group`; `None` if it selects no sequence of it.
    ///
    /// # Errors
    /// Whatever the selection has that model or sequences do not have.
    pub fn indices(&self, config: &Config, group: &SegmentGroup) -> Result<Option<Indices>> {
        let sequences = match &self.sequences {
            None => None,
            Some(chosen) => {
                let within = |&row: &usize| chosen.contains(&group.sequences[row]);
                let rows: Vec<usize> = (0..group.sequences.len()).filter(within).collect();
                if rows.is_empty() {
                    return Ok(None);
                }
                Some(rows)
            }
        };
        let first = sequences.as_ref().map_or(0, |rows| rows[0]);
        let positions = |positions: &Positions| -> Result<Option<Vec<usize>>> {
            let indices = positions.indices(group.len, group.sequences[first])?;
            Ok((!positions.is_all()).then_some(indices))
        };
        self.check_axis("head", &self.heads, config.n_heads)?;
        let (name, width) = self.last_axis_of(config);
        self.check_axis(name, &self.last_axis, width)?;
        let (heads, last_axis) = (self.heads.clone(), self.last_axis.clone());
        Ok(Some(match self.site.axes() {
            Axes::Attention => {
                [sequences, heads, positions(&self.positions)?, positions(&self.keys)?]
            }
            Axes::HeadResidual | Axes::HeadVector => {
                [sequences, positions(&self.positions)?, heads, last_axis]
            }
            _ => [sequences, positions(&self.positions)?, last_axis, None],
        }))
    }

    /// What the last axis counts, and how long it is; of attention it is that of the keys.
    fn last_axis_of(&self, config: &Config) -> (&'static str, usize) {
        match self.site.axes() {
            Axes::Residual | Axes::HeadResidual => ("channel", config.d_model),
            Axes::HeadVector => ("channel", config.d_head),
            Axes::Neurons => ("neuron", config.d_mlp),
            Axes::Vocabulary => ("token", config.d_vocab),
            Axes::PerPosition | Axes::Attention => ("channel", 1),
        }
    }

    /// The shape of the selected part of the tensor of `group`.
    pub fn size(&self, config: &Config, group: &SegmentGroup, indices: &Indices) -> Vec<i64> {
        let (batch, len) = (group.sequences.len(), group.len);
        let width = self.last_axis_of(config).1;
        let whole = match self.site.axes() {
            Axes::Attention => vec![batch, config.n_heads, len, len],
            Axes::HeadResidual | Axes::HeadVector => vec![batch, len, config.n_heads, width],
            _ => vec![batch, len, width],
        };
        let narrowed = whole.iter().zip(indices).map(|(&whole, chosen)| match chosen {
            Some(chosen) => chosen.len() as i64,
            None => whole as i64,
        });
        narrowed.collect()
    }

    /// The selected sequences of `group`, by their index in the batch.
    pub fn sequences_in(&self, group: &SegmentGroup) -> Vec<usize> {
        let chosen = |sequence: &&usize| {
            self.sequences.as_ref().is_none_or(|chosen| chosen.contains(sequence))
        };
        group.sequences.iter().filter(chosen).copied().collect()
    }

    /// The selected positions of the sequences of `group`; of attention, the query positions.
    pub fn positions_in(&self, group: &SegmentGroup) -> Result<Vec<usize>> {
        self.positions.indices(group.len, group.sequences[0])
    }

    /// Checks that the batch has the selected sequences.
    pub fn check_sequences(&self, len: usize) -> Result<()> {
        self.check_axis("sequence", &self.sequences, len)
    }

    fn check_axis(
        &self,
        axis: &'static str,
        chosen: &Option<Vec<usize>>,
        len: usize,
    ) -> Result<()> {
        let Some(chosen) = chosen else { return Ok(()) };
        match chosen.last() {
            None => Err(Error::EmptySelection { axis, site: self.site.to_string() }),
            Some(&given) if given >= len => {
                Err(Error::IndexOutOfRange { axis, given, len, site: self.site.to_string() })
            }
            Some(_) => Ok(()),
        }
    }
}

fn sorted(indices: impl IntoIterator<Item = usize>) -> Vec<usize> {
    let mut indices: Vec<usize> = indices.into_iter().collect();
    indices.sort_unstable();
    indices.dedup();
    indices
}

impl fmt::Display for Selected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.site)?;
        let is_attention = self.site.axes() == Axes::Attention;
        let last_axis = match self.site.axes() {
            Axes::Neurons => "neurons",
            Axes::Vocabulary => "tokens",
            _ => "channels",
        };
        for (axis, chosen) in [("sequences", &self.sequences), ("heads", &self.heads)] {
            if let Some(chosen) = chosen {
                write!(f, ", {axis} {chosen:?}")?;
            }
        }
        if !self.positions.is_all() {
            let axis = if is_attention { "queries" } else { "positions" };
            write!(f, ", {axis} {}", self.positions)?;
        }
        if !self.keys.is_all() {
            write!(f, ", keys {}", self.keys)?;
        }
        if let Some(chosen) = &self.last_axis {
            write!(f, ", {last_axis} {chosen:?}")?;
        }
        Ok(())
    }
}

impl<Class> fmt::Display for At<Class> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.selected.fmt(f)
    }
}
