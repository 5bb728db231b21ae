//! Places in the model where a hook may stand.

use std::fmt;
use std::str::FromStr;

use super::at::{self, At};
use crate::config::Config;
use crate::error::{Error, Result};

/// A place in the model, under the name and with the tensor of TransformerLens.
///
/// Sites are ordered by execution. They print TransformerLens's names and are parsed from them,
/// strictly. `docs/sites.md` has the table of all of them.
///
/// ```
/// # use hooked_gpt2::hook::Site;
/// assert_eq!(Site::z(2).to_string(), "blocks.2.attn.hook_z");
/// assert_eq!("blocks.2.attn.hook_z".parse::<Site>()?, Site::z(2));
/// assert!(Site::resid_post(2) < Site::resid_pre(3));
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Site(Place);

/// The variants stand in execution order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Place {
    Embed,
    PosEmbed,
    Block(usize, Point),
    LnFinalScale,
    LnFinalNormalized,
    Unembed,
}

/// The axes of a site's tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Axes {
    /// `[batch, pos, d_model]`
    Residual,
    /// `[batch, pos, head, d_model]`
    HeadResidual,
    /// `[batch, pos, head, d_head]`
    HeadVector,
    /// `[batch, head, query_pos, key_pos]`
    Attention,
    /// `[batch, pos, d_mlp]`
    Neurons,
    /// `[batch, pos, 1]`
    PerPosition,
    /// `[batch, pos, d_vocab]`
    Vocabulary,
}

impl Axes {
    /// Whether one of them counts heads.
    pub(super) fn have_heads(self) -> bool {
        matches!(self, Axes::HeadResidual | Axes::HeadVector | Axes::Attention)
    }

    /// What the last axis counts.
    pub(super) fn last(self) -> &'static str {
        match self {
            Axes::Neurons => "neuron",
            Axes::Vocabulary => "token",
            Axes::Attention => "key",
            _ => "channel",
        }
    }

    /// The length of the last axis; of attention, whose keys are as many as the positions, 1.
    pub(super) fn width(self, config: &Config) -> usize {
        match self {
            Axes::Residual | Axes::HeadResidual => config.d_model,
            Axes::HeadVector => config.d_head,
            Axes::Neurons => config.d_mlp,
            Axes::Vocabulary => config.d_vocab,
            Axes::PerPosition | Axes::Attention => 1,
        }
    }
}

impl fmt::Display for Axes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Axes::Residual => "[batch, pos, d_model]",
            Axes::HeadResidual => "[batch, pos, head, d_model]",
            Axes::HeadVector => "[batch, pos, head, d_head]",
            Axes::Attention => "[batch, head, query_pos, key_pos]",
            Axes::Neurons => "[batch, pos, d_mlp]",
            Axes::PerPosition => "[batch, pos, 1]",
            Axes::Vocabulary => "[batch, pos, d_vocab]",
        })
    }
}

/// Makes all that is known of the sites within a block from one table, in execution order.
macro_rules! block_sites {
    ($($(#[doc = $doc:literal])* $constructor:ident $point:ident $axes:ident $class:ident $name:literal)*) => {
        /// The places within one block, in execution order.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        enum Point { $($point),* }

        const POINTS: &[(Point, &str, Axes)] = &[$((Point::$point, $name, Axes::$axes)),*];

        impl Site {
            $($(#[doc = $doc])* pub const fn $constructor(layer: usize) -> Self {
                Self(Place::Block(layer, Point::$point))
            })*
        }

        /// The sites within a block, to be selected from.
        impl At<()> {
            $($(#[doc = $doc])* pub fn $constructor(layer: usize) -> At<at::$class> {
                At::whole(Site::$constructor(layer))
            })*
        }
    };
}

block_sites! {
    /// The residual stream entering block `layer`; for block 0, token plus position embedding.
    resid_pre ResidPre Residual Residual "hook_resid_pre"
    /// The residual as each head's attention reads it, before the layer norm.
    attn_in AttnIn HeadResidual HeadVectors "hook_attn_in"
    /// The residual as each head's queries read it, before the layer norm.
    q_input QInput HeadResidual HeadVectors "hook_q_input"
    /// The residual as each head's keys read it, before the layer norm.
    k_input KInput HeadResidual HeadVectors "hook_k_input"
    /// The residual as each head's values read it, before the layer norm.
    v_input VInput HeadResidual HeadVectors "hook_v_input"
    /// `sqrt(var + eps)`, the divisor of attention's layer norm.
    ln1_scale Ln1Scale PerPosition PerPosition "ln1.hook_scale"
    /// `(x - mean) / scale` of attention's layer norm, before gain and bias.
    ln1_normalized Ln1Normalized Residual Residual "ln1.hook_normalized"
    /// The queries, bias included.
    q Q HeadVector HeadVectors "attn.hook_q"
    /// The keys, bias included.
    k K HeadVector HeadVectors "attn.hook_k"
    /// The values, bias included.
    v V HeadVector HeadVectors "attn.hook_v"
    /// The scaled attention scores, after the causal mask (negative infinity where it masks).
    attn_scores AttnScores Attention Attention "attn.hook_attn_scores"
    /// The attention pattern: softmax of the scores over the keys.
    pattern Pattern Attention Attention "attn.hook_pattern"
    /// Each head's mixture of values, `pattern · v`.
    z Z HeadVector HeadVectors "attn.hook_z"
    /// What each head adds to the stream, `z_h W_O[h]`, without the output bias.
    result Result HeadResidual HeadVectors "attn.hook_result"
    /// What attention adds to the stream, output bias included.
    attn_out AttnOut Residual Residual "hook_attn_out"
    /// The residual stream between attention and MLP, `resid_pre + attn_out`.
    resid_mid ResidMid Residual Residual "hook_resid_mid"
    /// The residual as the MLP reads it, before the layer norm.
    mlp_in MlpIn Residual Residual "hook_mlp_in"
    /// `sqrt(var + eps)`, the divisor of the MLP's layer norm.
    ln2_scale Ln2Scale PerPosition PerPosition "ln2.hook_scale"
    /// `(x - mean) / scale` of the MLP's layer norm, before gain and bias.
    ln2_normalized Ln2Normalized Residual Residual "ln2.hook_normalized"
    /// The neurons before the activation function, bias included.
    mlp_pre MlpPre Neurons Neurons "mlp.hook_pre"
    /// The neurons after the activation function.
    mlp_post MlpPost Neurons Neurons "mlp.hook_post"
    /// What the MLP adds to the stream, output bias included.
    mlp_out MlpOut Residual Residual "hook_mlp_out"
    /// The residual stream leaving block `layer`, `resid_mid + mlp_out`.
    resid_post ResidPost Residual Residual "hook_resid_post"
}

impl Site {
    /// The token embedding.
    pub const fn embed() -> Self {
        Self(Place::Embed)
    }

    /// The position embedding.
    pub const fn pos_embed() -> Self {
        Self(Place::PosEmbed)
    }

    /// `sqrt(var + eps)`, the divisor of the final layer norm.
    pub const fn ln_final_scale() -> Self {
        Self(Place::LnFinalScale)
    }

    /// `(x - mean) / scale` of the final layer norm, before gain and bias.
    pub const fn ln_final_normalized() -> Self {
        Self(Place::LnFinalNormalized)
    }

    /// The logits.
    pub const fn unembed() -> Self {
        Self(Place::Unembed)
    }

    /// All sites of block `layer`, in execution order.
    pub fn of_block(layer: usize) -> impl Iterator<Item = Self> {
        POINTS.iter().map(move |&(point, ..)| Self(Place::Block(layer, point)))
    }

    /// All sites of a model of `n_layers` blocks, in execution order.
    pub fn all(n_layers: usize) -> impl Iterator<Item = Self> {
        let before = [Self::embed(), Self::pos_embed()];
        let after = [Self::ln_final_scale(), Self::ln_final_normalized(), Self::unembed()];
        before.into_iter().chain((0..n_layers).flat_map(Self::of_block)).chain(after)
    }

    /// The block that the site is in; `None` for those outside the blocks.
    pub const fn layer(self) -> Option<usize> {
        match self.0 {
            Place::Block(layer, _) => Some(layer),
            _ => None,
        }
    }

    /// Whether the site is in the residual stream at either end of a block, where it passes even if
    /// the block is skipped.
    pub(crate) fn is_block_end(self) -> bool {
        matches!(self.0, Place::Block(_, Point::ResidPre | Point::ResidPost))
    }

    /// Whether everything that `earlier` does to the logits goes through this site, which comes later.
    pub(super) fn is_passed_by_all_of(self, earlier: Self) -> bool {
        use Point::*;
        let (layer, point) = match self.0 {
            Place::Unembed | Place::LnFinalNormalized => return earlier < self,
            Place::Block(_, ResidPre | ResidMid | ResidPost) => return earlier < self,
            Place::Block(layer, point) => (layer, point),
            _ => return false,
        };
        let Place::Block(of_layer, earlier) = earlier.0 else { return false };
        let into_scores = matches!(earlier, QInput | KInput | Q | K);
        of_layer == layer
            && earlier < point
            && match point {
                Q => earlier == QInput,
                K => earlier == KInput,
                V => earlier == VInput,
                Ln1Normalized => earlier == Ln1Scale,
                AttnScores => into_scores,
                Pattern => into_scores || earlier == AttnScores,
                Z | Result | AttnOut => earlier > ResidPre,
                Ln2Normalized => matches!(earlier, MlpIn | Ln2Scale),
                MlpPre | MlpPost | MlpOut => earlier > ResidMid,
                _ => false,
            }
    }

    /// The axes of the site's tensor.
    pub fn axes(self) -> Axes {
        match self.0 {
            Place::Embed | Place::PosEmbed | Place::LnFinalNormalized => Axes::Residual,
            Place::LnFinalScale => Axes::PerPosition,
            Place::Unembed => Axes::Vocabulary,
            Place::Block(_, point) => POINTS[point as usize].2,
        }
    }

    /// Checks that the model has the site.
    pub(crate) fn check(self, config: &Config) -> Result<()> {
        self.layer().map_or(Ok(()), |layer| config.check_layer(layer))
    }

    /// The site's number among those of its block, or among those outside the blocks.
    pub(crate) const fn number_in_layer(self) -> usize {
        match self.0 {
            Place::Embed => 0,
            Place::PosEmbed => 1,
            Place::LnFinalScale => 2,
            Place::LnFinalNormalized => 3,
            Place::Unembed => 4,
            Place::Block(_, point) => point as usize,
        }
    }

    /// A number that is the site's own and stays so whatever sites are added: the FNV-1a hash of its
    /// name.
    pub(crate) fn code(self) -> u64 {
        let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        self.to_string().bytes().fold(0xcbf2_9ce4_8422_2325, fold)
    }

    fn name_outside_blocks(self) -> &'static str {
        match self.0 {
            Place::Embed => "hook_embed",
            Place::PosEmbed => "hook_pos_embed",
            Place::LnFinalScale => "ln_final.hook_scale",
            Place::LnFinalNormalized => "ln_final.hook_normalized",
            Place::Unembed => "hook_unembed",
            Place::Block(..) => "",
        }
    }
}

/// The sites outside the blocks, to be selected from.
impl At<()> {
    /// All of any site, such as one whose name was parsed. Its positions are, of attention, those of the
    /// queries.
    pub fn site(site: Site) -> Self {
        At::whole(site)
    }

    /// The token embedding.
    pub fn embed() -> At<at::Residual> {
        At::whole(Site::embed())
    }

    /// The position embedding.
    pub fn pos_embed() -> At<at::Residual> {
        At::whole(Site::pos_embed())
    }

    /// `sqrt(var + eps)`, the divisor of the final layer norm.
    pub fn ln_final_scale() -> At<at::PerPosition> {
        At::whole(Site::ln_final_scale())
    }

    /// `(x - mean) / scale` of the final layer norm, before gain and bias.
    pub fn ln_final_normalized() -> At<at::Residual> {
        At::whole(Site::ln_final_normalized())
    }

    /// The logits.
    pub fn unembed() -> At<at::Vocabulary> {
        At::whole(Site::unembed())
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Place::Block(layer, point) => write!(f, "blocks.{layer}.{}", POINTS[point as usize].1),
            _ => f.write_str(self.name_outside_blocks()),
        }
    }
}

impl FromStr for Site {
    type Err = Error;

    /// Parses a TransformerLens name, such as `blocks.3.attn.hook_z`.
    fn from_str(name: &str) -> Result<Self> {
        let parsed = match name.strip_prefix("blocks.").and_then(|rest| rest.split_once('.')) {
            Some((layer, point)) => canonical_number(layer).and_then(|layer| {
                Self::of_block(layer).find(|site| POINTS[site.number_in_layer()].1 == point)
            }),
            None => Self::all(0).find(|site| site.name_outside_blocks() == name),
        };
        parsed.ok_or_else(|| Error::UnknownSite { given: name.to_owned(), nearest: nearest(name) })
    }
}

/// A number as this crate prints it: no sign, no leading zero.
fn canonical_number(digits: &str) -> Option<usize> {
    digits.parse().ok().filter(|number: &usize| number.to_string() == digits)
}

/// The names that differ least from `name`, for the layer that it names, if any.
fn nearest(name: &str) -> String {
    let layer = name.split('.').find_map(canonical_number).unwrap_or(0);
    let sites = Site::all(0).chain(Site::of_block(layer));
    crate::nearest::nearest(sites.map(|site| site.to_string()), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_back_and_sites_are_in_execution_order() {
        let sites: Vec<Site> = Site::all(3).collect();
        assert_eq!(sites.len(), 2 + 3 * 23 + 3);
        assert!(sites.is_sorted_by(|a, b| a < b));
        for site in sites {
            assert_eq!(site.to_string().parse::<Site>().unwrap(), site);
        }
    }

    #[test]
    fn the_code_of_a_site_is_the_hash_of_its_name() {
        assert_eq!(Site::embed().code(), 0x8311_f4ee_bf98_23e8);
        assert_eq!(Site::z(11).code(), 0x1765_f5ec_9795_cabe);
        let codes: std::collections::BTreeSet<u64> = Site::all(100).map(Site::code).collect();
        assert_eq!(codes.len(), 2 + 100 * 23 + 3);
    }

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
            let error = wrong.parse::<Site>().unwrap_err().to_string();
            assert!(error.contains(right), "{error}");
        }
    }
}
