//! A site and a part of its tensor, typed by the tensor's axes: "head 3 of resid_post" does not
//! compile.

use std::fmt;
use std::marker::PhantomData;

use super::Positions;
use super::selection::Selected;
use crate::site::{Site, site_table};

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

/// Marks a site that is known at run time only: see [`At::site`].
#[derive(Debug, Clone, Copy)]
pub enum Any {}

mod sealed {
    /// Sites with one position axis.
    pub trait Positional {}
    /// Sites with a head axis.
    pub trait PerHead {}
    /// Sites whose last axis counts channels of a vector.
    pub trait Channels {}
    /// Sites whose last two axes are queries and keys.
    pub trait Edges {}
    /// Sites whose last axis counts neurons.
    pub trait NeuronAxis {}
    /// Sites whose last axis counts tokens.
    pub trait TokenAxis {}
}
use sealed::{Channels, Edges, NeuronAxis, PerHead, Positional, TokenAxis};

impl Positional for Residual {}
impl Positional for HeadVectors {}
impl Positional for Neurons {}
impl Positional for PerPosition {}
impl Positional for Vocabulary {}
impl Positional for Any {}
impl PerHead for HeadVectors {}
impl PerHead for Attention {}
impl PerHead for Any {}
impl Channels for Residual {}
impl Channels for HeadVectors {}
impl Channels for Any {}
impl Edges for Attention {}
impl Edges for Any {}
impl NeuronAxis for Neurons {}
impl NeuronAxis for Any {}
impl TokenAxis for Vocabulary {}
impl TokenAxis for Any {}

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

/// The marker of each of [`SiteShape`](super::SiteShape).
mod class {
    pub(super) use super::{
        Attention, HeadVectors as HeadResidual, HeadVectors as HeadVector, Neurons, PerPosition,
        Residual, Vocabulary,
    };
}

/// Makes a constructor for each line of the table.
macro_rules! constructors {
    (
        before { $($(#[doc = $before_doc:literal])*
            $before:ident $before_point:ident $before_shape:ident $before_label:literal
            reads [$($before_read:ident),*])* }
        block { $($(#[doc = $doc:literal])*
            $site:ident $point:ident $shape:ident $label:literal reads [$($read:ident),*])* }
        after { $($(#[doc = $after_doc:literal])*
            $after:ident $after_point:ident $after_shape:ident $after_label:literal
            reads [$($after_read:ident),*])* }
    ) => {
        /// The sites, to be selected from.
        impl At<()> {
            $($(#[doc = $before_doc])* pub fn $before() -> At<class::$before_shape> {
                At::whole(Site::$before())
            })*
            $($(#[doc = $doc])* pub fn $site(layer: usize) -> At<class::$shape> {
                At::whole(Site::$site(layer))
            })*
            $($(#[doc = $after_doc])* pub fn $after() -> At<class::$after_shape> {
                At::whole(Site::$after())
            })*
        }
    };
}

site_table!(constructors);

impl At<Any> {
    /// All of any site, such as one of a loop over sites or one whose name was parsed. What the site turns
    /// out not to have is refused before a run; its positions are, of attention, those of the queries.
    ///
    /// ```
    /// # use hooked_gpt2::hook::{At, Site};
    /// let name = "blocks.5.attn.hook_z";
    /// let head = At::site(name.parse::<Site>()?).heads([3]);
    /// # Ok::<(), hooked_gpt2::Error>(())
    /// ```
    pub fn site(site: Site) -> Self {
        At::whole(site)
    }
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

    fn along_last_axis(mut self, name: &'static str, indices: Vec<usize>) -> Self {
        self.selected.last_axis = Some(indices);
        self.named(name)
    }

    /// Notes a selection that the site does not have.
    fn named(mut self, name: &'static str) -> Self {
        if !self.selected.site.shape().selections().contains(&name) {
            self.selected.unfit = Some(name);
        }
        self
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
        self.named("heads")
    }
}

impl<Class: Channels> At<Class> {
    /// Only these channels of each vector.
    pub fn channels(self, channels: impl IntoIterator<Item = usize>) -> Self {
        self.along_last_axis("channels", sorted(channels))
    }
}

impl<Class: Edges> At<Class> {
    /// Only attention from these positions, the destinations.
    pub fn queries(mut self, positions: Positions) -> Self {
        self.selected.positions = positions;
        self.named("queries")
    }

    /// Only attention to these positions, the sources.
    pub fn keys(mut self, positions: Positions) -> Self {
        self.selected.keys = positions;
        self.named("keys")
    }
}

impl<Class: NeuronAxis> At<Class> {
    /// Only these neurons.
    pub fn neurons(self, neurons: impl IntoIterator<Item = usize>) -> Self {
        self.along_last_axis("neurons", sorted(neurons))
    }
}

impl<Class: TokenAxis> At<Class> {
    /// Only the logits of these tokens.
    pub fn tokens(self, tokens: impl IntoIterator<Item = usize>) -> Self {
        self.along_last_axis("tokens", sorted(tokens))
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
