//! Names of the parts of a residual stream.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, LensError, Result};

/// A part of a residual stream, or of a logit. It prints as the field writes it, and is parsed from that, strictly.
///
/// ```
/// # use hooked_gpt2::lens::Component;
/// assert_eq!(Component::Head { layer: 5, head: 1 }.to_string(), "a5.1");
/// assert_eq!("m3".parse::<Component>()?, Component::Mlp { layer: 3 });
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Component {
    /// `embed`: the token embedding.
    Embed,
    /// `pos_embed`: the position embedding.
    PosEmbed,
    /// `a5`: what attention of block 5 adds, its bias included.
    Attention {
        /// The block.
        layer: usize,
    },
    /// `a5.1`: what head 1 of block 5 adds, without the bias that all heads share.
    Head {
        /// The block.
        layer: usize,
        /// The head.
        head: usize,
    },
    /// `a5.bias`: the bias of attention's output in block 5.
    AttentionBias {
        /// The block.
        layer: usize,
    },
    /// `m3`: what the MLP of block 3 adds, its bias included.
    Mlp {
        /// The block.
        layer: usize,
    },
    /// `m3.17`: what neuron 17 of block 3 adds.
    Neuron {
        /// The block.
        layer: usize,
        /// The neuron.
        neuron: usize,
    },
    /// `m3.bias`: the bias of the MLP's output in block 3.
    MlpBias {
        /// The block.
        layer: usize,
    },
    /// `ln_final.bias`: the bias of the final layer norm, which is part of logits alone.
    FinalBias,
    /// `edits`: what hooks changed otherwise than in one of the other parts.
    Edits,
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embed => f.write_str("embed"),
            Self::PosEmbed => f.write_str("pos_embed"),
            Self::Attention { layer } => write!(f, "a{layer}"),
            Self::Head { layer, head } => write!(f, "a{layer}.{head}"),
            Self::AttentionBias { layer } => write!(f, "a{layer}.bias"),
            Self::Mlp { layer } => write!(f, "m{layer}"),
            Self::Neuron { layer, neuron } => write!(f, "m{layer}.{neuron}"),
            Self::MlpBias { layer } => write!(f, "m{layer}.bias"),
            Self::FinalBias => f.write_str("ln_final.bias"),
            Self::Edits => f.write_str("edits"),
        }
    }
}

impl FromStr for Component {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let parsed = match name {
            "embed" => Some(Self::Embed),
            "pos_embed" => Some(Self::PosEmbed),
            "ln_final.bias" => Some(Self::FinalBias),
            "edits" => Some(Self::Edits),
            _ => of_block(name),
        };
        // A sign or a leading zero would make two names of one part.
        parsed.filter(|component| component.to_string() == name).ok_or_else(|| {
            let allowed =
                "embed, pos_embed, a5, a5.1, a5.bias, m3, m3.17, m3.bias, ln_final.bias, edits";
            let (given, allowed) = (name.to_owned(), allowed.to_owned());
            Error::UnknownName { what: "component", given, allowed }
        })
    }
}

fn of_block(name: &str) -> Option<Component> {
    let (is_attention, rest) = match name.strip_prefix('a') {
        Some(rest) => (true, rest),
        None => (false, name.strip_prefix('m')?),
    };
    let (layer, part) =
        rest.split_once('.').map_or((rest, None), |(layer, part)| (layer, Some(part)));
    let layer = layer.parse().ok()?;
    Some(match (is_attention, part) {
        (true, None) => Component::Attention { layer },
        (true, Some("bias")) => Component::AttentionBias { layer },
        (true, Some(head)) => Component::Head { layer, head: head.parse().ok()? },
        (false, None) => Component::Mlp { layer },
        (false, Some("bias")) => Component::MlpBias { layer },
        (false, Some(neuron)) => Component::Neuron { layer, neuron: neuron.parse().ok()? },
    })
}

/// Where a component stands among others.
///
/// # Errors
/// [`LensError::NoSuchPart`].
pub(super) fn number_of(component: Component, among: &[Component]) -> Result<usize> {
    among.iter().position(|&other| other == component).ok_or_else(|| {
        let parts: Vec<String> = among.iter().map(Component::to_string).collect();
        LensError::NoSuchPart { given: component.to_string(), parts: parts.join(", ") }.into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_component_parses_back_and_nothing_else_does() {
        use Component::*;
        let all = [
            (Embed, "embed"),
            (PosEmbed, "pos_embed"),
            (Attention { layer: 5 }, "a5"),
            (Head { layer: 5, head: 10 }, "a5.10"),
            (AttentionBias { layer: 0 }, "a0.bias"),
            (Mlp { layer: 11 }, "m11"),
            (Neuron { layer: 3, neuron: 3071 }, "m3.3071"),
            (MlpBias { layer: 3 }, "m3.bias"),
            (FinalBias, "ln_final.bias"),
            (Edits, "edits"),
        ];
        for (component, name) in all {
            assert_eq!(component.to_string(), name);
            assert_eq!(name.parse::<Component>().unwrap(), component);
        }
        for wrong in ["", "a", "m", "a05", "a+5", "a5.", "a5.01", "m3.b", "b3", "a5.1.2", "Embed"] {
            assert!(wrong.parse::<Component>().is_err(), "{wrong}");
        }
    }
}
