//! TransformerLens's names of the sites, printed and parsed.

use std::fmt;
use std::str::FromStr;

use super::{Region, Site};
use crate::nearest::nearest;

/// A name that is no site's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no hook site; the nearest names are {nearest}", beginning(given))]
#[non_exhaustive]
pub struct UnknownSite {
    /// The name.
    pub given: String,
    /// The names of sites that are like it.
    pub nearest: String,
}

/// As much of a name as one can read.
fn beginning(name: &str) -> String {
    const READABLE: usize = 80;
    let mut escaped = name.escape_debug();
    let mut beginning: String = escaped.by_ref().take(READABLE).collect();
    if escaped.next().is_some() {
        beginning.push('…');
    }
    beginning
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.region() {
            Region::Block(layer) => write!(f, "blocks.{layer}.{}", self.label()),
            Region::OutsideBlocks => f.write_str(self.label()),
        }
    }
}

impl FromStr for Site {
    type Err = UnknownSite;

    /// Parses a TransformerLens name, such as `blocks.3.attn.hook_z`.
    fn from_str(name: &str) -> Result<Self, UnknownSite> {
        let parsed = match name.strip_prefix("blocks.").and_then(|rest| rest.split_once('.')) {
            Some((layer, label)) => canonical_number(layer)
                .and_then(|layer| Self::of_block(layer).find(|site| site.label() == label)),
            None => Self::all(0).find(|site| site.label() == name),
        };
        parsed.ok_or_else(|| UnknownSite { given: name.to_owned(), nearest: nearest_sites(name) })
    }
}

/// A number as this crate prints it: no sign, no leading zero.
fn canonical_number(digits: &str) -> Option<usize> {
    digits.parse().ok().filter(|number: &usize| number.to_string() == digits)
}

/// The names that may have been meant by `name`, for the layer that it names, if any.
fn nearest_sites(name: &str) -> String {
    let layer = name.split('.').find_map(canonical_number).unwrap_or(0);
    let sites = Site::all(0).chain(Site::of_block(layer));
    nearest(sites.map(|site| site.to_string()), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_name_gives_the_nearest_ones() {
        for (wrong, right) in [
            ("blocks.3.hook_resid_pst", "blocks.3.hook_resid_post"),
            ("blocks.3.hook_z", "blocks.3.attn.hook_z"),
            ("blocks.03.attn.hook_z", "blocks.0.attn.hook_z"),
            ("blocks.x.attn.hook_z", "blocks.0.attn.hook_z"),
            ("hook_embd", "hook_embed"),
            ("hook_z", "blocks.0.attn.hook_z"),
            ("ln_final.hook_normalised", "ln_final.hook_normalized"),
            ("", "hook_embed"),
        ] {
            let error = wrong.parse::<Site>().unwrap_err();
            assert!(error.nearest.split(", ").any(|name| name == right), "{error}");
        }
    }
}
