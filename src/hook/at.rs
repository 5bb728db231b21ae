//! A site and a part of its tensor, typed by the tensor's axes: "head 3 of resid_post" does not
//! compile.

use std::fmt;
use std::marker::PhantomData;

use super::selection::Selected;
use super::{Positions, Site};

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
// Whatever a site's name says, it has positions; of attention they are those of the queries.
impl Positional for () {}
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

impl<Class> At<Class> {
    pub(super) fn whole(site: Site) -> Self {
        let selected = Selected::whole(site);
        Self { selected, class: PhantomData }
    }

    /// Only these sequences of the batch.
    pub fn sequences(mut self, sequences: impl IntoIterator<Item = usize>) -> Self {
        self.selected.sequences = Some(sorted(sequences));
        self
    }

    /// The site, whatever is selected there.
    pub fn as_site(&self) -> Site {
        self.selected.site
    }

    pub(crate) fn into_selected(self) -> Selected {
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

/// The indices in increasing order, each once.
pub(crate) fn sorted(indices: impl IntoIterator<Item = usize>) -> Vec<usize> {
    let mut indices: Vec<usize> = indices.into_iter().collect();
    indices.sort_unstable();
    indices.dedup();
    indices
}

impl<Class> fmt::Display for At<Class> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.selected.fmt(f)
    }
}
