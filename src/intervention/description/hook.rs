//! A hook in words: its site, what it selects there, its edit.

use serde::{Deserialize, Serialize};

use super::edit::EditDescription;
use super::positions::PositionsDescription;
use super::tensors::{StoredTensors, TensorsToStore};
use crate::error::{InterventionError, Result, SelectionError};
use crate::hook::at::sorted;
use crate::hook::{Hook, Positions, Selected};
use crate::site::{Site, SiteShape};

/// What a site does not have is read, too, so that the error can name it and the site.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HookDescription {
    site: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sequences: Option<Vec<usize>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    heads: Option<Vec<usize>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    positions: Option<PositionsDescription>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    queries: Option<PositionsDescription>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keys: Option<PositionsDescription>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channels: Option<Vec<usize>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    neurons: Option<Vec<usize>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tokens: Option<Vec<usize>>,
    edit: EditDescription,
}

impl HookDescription {
    /// Describes `hook`; a tensor of it is to be stored as `name`.
    pub fn of(hook: &Hook, name: &str, tensors: &mut TensorsToStore<'_>) -> Result<Self> {
        let edit = EditDescription::of(hook.edit(), name, tensors)?.ok_or_else(|| {
            let (hook, site) = (format!("{:?}", hook.edit()), hook.site());
            InterventionError::NotBuiltIn { hook, site }
        })?;
        let Selected { site, sequences, heads, positions, keys, last_axis, unfit: _ } =
            hook.selected().clone();
        let narrowed =
            |positions: Positions| (!positions.is_all()).then_some(PositionsDescription(positions));
        let (positions, queries) = match site.shape() {
            SiteShape::Attention => (None, narrowed(positions)),
            _ => (narrowed(positions), None),
        };
        let (channels, neurons, tokens) = match site.shape() {
            SiteShape::Neurons => (None, last_axis, None),
            SiteShape::Vocabulary => (None, None, last_axis),
            _ => (last_axis, None, None),
        };
        let (site, keys) = (site.to_string(), narrowed(keys));
        Ok(Self {
            site,
            sequences,
            heads,
            positions,
            queries,
            keys,
            channels,
            neurons,
            tokens,
            edit,
        })
    }

    /// The hook that is described.
    pub fn into_hook(self, tensors: &mut StoredTensors) -> Result<Hook> {
        let site: Site = self.site.parse()?;
        self.check_selection(site)?;
        let positions = |described: Option<PositionsDescription>| {
            described.map_or(Positions::all(), |PositionsDescription(positions)| positions)
        };
        let selected = Selected {
            site,
            sequences: self.sequences.map(sorted),
            heads: self.heads.map(sorted),
            positions: positions(self.positions.or(self.queries)),
            keys: positions(self.keys),
            last_axis: self.channels.or(self.neurons).or(self.tokens).map(sorted),
            unfit: None,
        };
        Ok(Hook::from_parts(selected, self.edit.into_edit(site, tensors)?))
    }

    /// Checks that the site has what is selected, which the types of `At` do elsewhere.
    fn check_selection(&self, site: Site) -> Result<()> {
        let allowed = site.shape().selections();
        let given = [
            ("heads", self.heads.is_some()),
            ("positions", self.positions.is_some()),
            ("queries", self.queries.is_some()),
            ("keys", self.keys.is_some()),
            ("channels", self.channels.is_some()),
            ("neurons", self.neurons.is_some()),
            ("tokens", self.tokens.is_some()),
        ];
        match given.into_iter().find(|(name, given)| *given && !allowed.contains(name)) {
            None => Ok(()),
            Some((given, _)) => {
                Err(SelectionError::SelectionAtSite { given, site, allowed: allowed.join(", ") }
                    .into())
            }
        }
    }
}
