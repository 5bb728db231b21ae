//! What a selection means in a model, for the sequences of one group.

use std::fmt;

use super::{Axes, Part, Positions, Site};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::segment::SegmentGroup;

/// A site and a part of its tensor, whatever its axes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selected {
    pub site: Site,
    pub sequences: Option<Vec<usize>>,
    pub heads: Option<Vec<usize>>,
    /// Of attention: the query positions.
    pub positions: Positions,
    pub keys: Positions,
    /// Channels, neurons or tokens.
    pub last_axis: Option<Vec<usize>>,
}

/// The part of a group's tensor that is selected, index by index.
#[derive(Debug)]
pub(super) struct Chosen {
    /// Indices into the tensor along each of its axes; `None` for a whole axis.
    pub indices: Vec<Option<Vec<usize>>>,
    sequences: Vec<usize>,
    examples: Vec<u64>,
    positions: Vec<usize>,
    heads: Vec<usize>,
    last_axis: Vec<usize>,
}

impl Selected {
    pub fn whole(site: Site) -> Self {
        Self {
            site,
            sequences: None,
            heads: None,
            positions: Positions::all(),
            keys: Positions::all(),
            last_axis: None,
        }
    }

    /// The selection within the tensor of `group`; `None` if it selects nothing there.
    ///
    /// # Errors
    /// Whatever the selection has that model or sequences do not have.
    pub(super) fn within(&self, config: &Config, group: &SegmentGroup) -> Result<Option<Chosen>> {
        let axes = self.site.axes();
        let chosen_row = |&row: &usize| {
            let sequence = group.segments[row].sequence;
            self.sequences.as_ref().is_none_or(|chosen| chosen.contains(&sequence))
        };
        let rows: Vec<usize> = (0..group.segments.len()).filter(chosen_row).collect();
        let Some(&first) = rows.first() else { return Ok(None) };

        let sequence = group.segments[first].sequence;
        let positions = self.positions.within(group.span.clone(), group.extent, sequence)?;
        let whole_pos = positions.len() == group.len();
        let (name, width) = (axes.last(), axes.width(config));
        let (last_axis, whole_last_axis) = if axes == Axes::Attention {
            let keys = self.keys.within(0..group.span.end, group.extent, sequence)?;
            let whole = keys.len() == group.span.end;
            (keys, whole)
        } else {
            (Self::along(name, &self.last_axis, width)?, self.last_axis.is_none())
        };
        if positions.is_empty() || last_axis.is_empty() {
            return Ok(None);
        }
        let heads = if axes.have_heads() {
            Self::along("head", &self.heads, config.n_heads)?
        } else {
            Vec::new()
        };

        let narrowed = |whole: bool, indices: &[usize]| (!whole).then(|| indices.to_vec());
        let on_batch = narrowed(self.sequences.is_none(), &rows);
        let within_span: Vec<usize> = positions.iter().map(|pos| pos - group.span.start).collect();
        let on_pos = narrowed(whole_pos, &within_span);
        let on_heads = narrowed(self.heads.is_none(), &heads);
        let on_last = narrowed(whole_last_axis, &last_axis);
        let indices = match axes {
            Axes::Attention => vec![on_batch, on_heads, on_pos, on_last],
            _ if axes.have_heads() => vec![on_batch, on_pos, on_heads, on_last],
            _ => vec![on_batch, on_pos, on_last],
        };
        Ok(Some(Chosen {
            indices,
            sequences: rows.iter().map(|&row| group.segments[row].sequence).collect(),
            examples: rows.iter().map(|&row| group.segments[row].example).collect(),
            positions,
            heads,
            last_axis,
        }))
    }

    /// Checks that the batch has the selected sequences.
    pub fn check_sequences(&self, len: usize) -> Result<()> {
        Self::along("sequence", &self.sequences, len).map(drop)
    }

    /// The indices along an axis of length `len`, checked.
    fn along(axis: &'static str, chosen: &Option<Vec<usize>>, len: usize) -> Result<Vec<usize>> {
        let Some(chosen) = chosen else { return Ok((0..len).collect()) };
        match chosen.last() {
            None => Err(Error::EmptySelection { axis }),
            Some(&given) if given >= len => Err(Error::IndexOutOfRange { axis, given, len }),
            Some(_) => Ok(chosen.clone()),
        }
    }
}

impl Chosen {
    /// Whether all of `other`, of the same site, is chosen here too.
    pub fn covers(&self, other: &Self) -> bool {
        let covers = |own: &[usize], other: &[usize]| other.iter().all(|index| own.contains(index));
        covers(&self.sequences, &other.sequences)
            && covers(&self.positions, &other.positions)
            && covers(&self.heads, &other.heads)
            && covers(&self.last_axis, &other.last_axis)
    }

    /// The part as an edit sees it.
    pub fn part(&self, site: Site) -> Part<'_> {
        Part {
            site,
            sequences: &self.sequences,
            examples: &self.examples,
            positions: &self.positions,
            heads: &self.heads,
            last_axis: &self.last_axis,
        }
    }
}

impl Part<'_> {
    /// The shape of the part.
    pub(super) fn size(&self) -> Vec<i64> {
        let [batch, pos, heads, last] =
            [self.sequences.len(), self.positions.len(), self.heads.len(), self.last_axis.len()]
                .map(|len| len as i64);
        match self.site.axes() {
            Axes::Attention => vec![batch, heads, pos, last],
            axes if axes.have_heads() => vec![batch, pos, heads, last],
            _ => vec![batch, pos, last],
        }
    }
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
