//! What a selection means in a model, for the sequences of one group.

use std::fmt;

use tch::Tensor;

use super::{Part, Positions};
use crate::config::Config;
use crate::error::{Listed, Result, SelectionError};
use crate::layout::SegmentGroup;
use crate::site::{Site, SiteShape};

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
    /// What was selected though the site does not have it.
    pub unfit: Option<&'static str>,
}

/// The part of a group's tensor that is selected, index by index.
#[derive(Debug)]
pub(crate) struct Chosen {
    /// Indices into the tensor along each of its axes; `None` for a whole axis.
    indices: Vec<Option<Vec<usize>>>,
    sequences: Vec<usize>,
    examples: Vec<u64>,
    positions: Vec<usize>,
    heads: Vec<usize>,
    last_axis: Vec<usize>,
    /// How many of the selected positions lie before those that the group carries.
    positions_before: usize,
    /// The heads and the last axis of the whole tensor.
    whole: (usize, usize),
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
            unfit: None,
        }
    }

    /// The selection within the tensor of `group`; `None` if it selects nothing there.
    ///
    /// # Errors
    /// Whatever the selection has that model or sequences do not have.
    pub fn within(&self, config: &Config, group: &SegmentGroup) -> Result<Option<Chosen>> {
        let axes = self.site.shape();
        if let Some(given) = self.unfit {
            let allowed = axes.selections().join(", ");
            return Err(SelectionError::SelectionAtSite { given, site: self.site, allowed }.into());
        }
        let chosen_row = |&row: &usize| {
            let sequence = group.segments[row].sequence;
            self.sequences.as_ref().is_none_or(|chosen| chosen.contains(&sequence))
        };
        let rows: Vec<usize> = (0..group.segments.len()).filter(chosen_row).collect();
        let Some(&first) = rows.first() else { return Ok(None) };

        let sequence = group.segments[first].sequence;
        let (span, extent) = (group.span.clone(), group.extent);
        let positions = self.positions.within(span.clone(), extent, sequence)?;
        let before = self.positions.within(0..span.start, extent, sequence)?;
        let whole_pos = positions.len() == group.len();
        let (name, width) = (axes.last(), config.width(axes));
        let (last_axis, whole_last_axis) = if axes == SiteShape::Attention {
            let keys = self.keys.within(0..span.end, extent, sequence)?;
            let whole = keys.len() == span.end;
            (keys, whole)
        } else {
            (along(name, &self.last_axis, width)?, self.last_axis.is_none())
        };
        if positions.is_empty() || last_axis.is_empty() {
            return Ok(None);
        }
        let heads = match axes.heads() {
            Some(_) => along("head", &self.heads, config.n_heads)?,
            None => Vec::new(),
        };

        let narrowed = |whole: bool, indices: &[usize]| (!whole).then(|| indices.to_vec());
        let within_span: Vec<usize> = positions.iter().map(|pos| pos - span.start).collect();
        let mut indices = vec![narrowed(self.sequences.is_none(), &rows)];
        indices.push(narrowed(whole_pos, &within_span));
        if let Some(axis) = axes.heads() {
            indices.insert(axis, narrowed(self.heads.is_none(), &heads));
        }
        indices.push(narrowed(whole_last_axis, &last_axis));
        Ok(Some(Chosen {
            indices,
            sequences: rows.iter().map(|&row| group.segments[row].sequence).collect(),
            examples: rows.iter().map(|&row| group.segments[row].example).collect(),
            positions,
            heads,
            last_axis,
            positions_before: before.len(),
            whole: (config.n_heads, width),
        }))
    }

    /// All that is selected of the sequences of `group`, whichever positions the group carries; `None` if
    /// it selects nothing of them.
    ///
    /// # Errors
    /// Those of [`within`](Self::within).
    pub fn of_sequences(&self, config: &Config, group: &SegmentGroup) -> Result<Option<Chosen>> {
        self.within(config, &group.whole())
    }

    /// Whether anything of the sequence is selected.
    pub fn has_sequence(&self, sequence: usize) -> bool {
        self.sequences.as_ref().is_none_or(|chosen| chosen.contains(&sequence))
    }

    /// Checks that the batch has the selected sequences.
    pub fn check_sequences(&self, len: usize) -> Result<()> {
        along("sequence", &self.sequences, len).map(drop)
    }
}

/// The indices along an axis of length `len`, checked.
pub(super) fn along(
    axis: &'static str,
    chosen: &Option<Vec<usize>>,
    len: usize,
) -> Result<Vec<usize>> {
    let Some(chosen) = chosen else { return Ok((0..len).collect()) };
    match chosen.last() {
        None => Err(SelectionError::EmptySelection { axis }.into()),
        Some(&given) if given >= len => {
            Err(SelectionError::IndexOutOfRange { axis, given, len }.into())
        }
        Some(_) => Ok(chosen.clone()),
    }
}

impl Chosen {
    /// Whether the whole tensor of the group is chosen.
    pub fn is_whole(&self) -> bool {
        self.indices.iter().all(Option::is_none)
    }

    /// Index tensors that select the outer product of the indices in `state`, up to the last axis that is
    /// narrowed.
    pub fn indices_into(&self, state: &Tensor) -> Result<Vec<Option<Tensor>>> {
        let narrowed = self.indices.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        let size = state.size();
        (0..narrowed)
            .map(|axis| {
                let along: Vec<i64> = match &self.indices[axis] {
                    Some(chosen) => chosen.iter().map(|&index| index as i64).collect(),
                    None => (0..size[axis]).collect(),
                };
                let mut shape = vec![1; narrowed];
                shape[axis] = along.len() as i64;
                let along = Tensor::f_from_slice(&along)?.f_to_device(state.device())?;
                Ok(Some(along.f_view(&shape[..])?))
            })
            .collect()
    }

    /// Whether all of `other`, of the same site, is chosen here too.
    pub fn covers(&self, other: &Self) -> bool {
        let covers = |own: &[usize], other: &[usize]| other.iter().all(|index| own.contains(index));
        covers(&self.sequences, &other.sequences)
            && covers(&self.positions, &other.positions)
            && covers(&self.heads, &other.heads)
            && covers(&self.last_axis, &other.last_axis)
    }

    /// The first position.
    pub fn first_position(&self) -> Option<usize> {
        self.positions.first().copied()
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
            positions_before: self.positions_before,
            n_heads: self.whole.0,
            width: self.whole.1,
        }
    }
}

impl fmt::Display for Selected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.site)?;
        let is_attention = self.site.shape() == SiteShape::Attention;
        let last_axis = match self.site.shape() {
            SiteShape::Neurons => "neurons",
            SiteShape::Vocabulary => "tokens",
            _ => "channels",
        };
        for (axis, chosen) in [("sequences", &self.sequences), ("heads", &self.heads)] {
            if let Some(chosen) = chosen {
                write!(f, ", {axis} {}", Listed(chosen))?;
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
            write!(f, ", {last_axis} {}", Listed(chosen))?;
        }
        Ok(())
    }
}
