//! Places in the model where a hook may stand: their names, the shapes of their tensors, their order, and
//! what is computed from what.

mod name;
mod shape;
mod table;
mod wiring;

use std::cmp::Ordering;

pub use name::UnknownSite;
pub use shape::SiteShape;
pub(crate) use table::site_table;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Site {
    /// The block; 0 outside the blocks.
    layer: usize,
    point: Point,
}

/// A block, or what lies outside all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Region {
    Block(usize),
    OutsideBlocks,
}

impl Region {
    /// All regions of a model of `n_layers` blocks: the blocks in order, then what lies outside.
    pub fn all(n_layers: usize) -> impl Iterator<Item = Self> {
        (0..n_layers).map(Self::Block).chain([Self::OutsideBlocks])
    }

    /// Its number among [`all`](Self::all).
    pub fn number(self, n_layers: usize) -> usize {
        match self {
            Self::Block(layer) => layer,
            Self::OutsideBlocks => n_layers,
        }
    }
}

/// Makes points and constructors from the table.
macro_rules! sites {
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
        /// The places before the blocks, within a block, and after the blocks, in execution order.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        enum Point { $($before_point,)* $($point,)* $($after_point),* }

        impl Point {
            const BEFORE: &[Self] = &[$(Self::$before_point),*];
            const IN_BLOCK: &[Self] = &[$(Self::$point),*];
            const AFTER: &[Self] = &[$(Self::$after_point),*];

            fn shape(self) -> SiteShape {
                match self {
                    $(Self::$before_point => SiteShape::$before_shape,)*
                    $(Self::$point => SiteShape::$shape,)*
                    $(Self::$after_point => SiteShape::$after_shape,)*
                }
            }

            fn label(self) -> &'static str {
                match self {
                    $(Self::$before_point => $before_label,)*
                    $(Self::$point => $label,)*
                    $(Self::$after_point => $after_label,)*
                }
            }

            /// What it is computed from, of its block or of what lies outside.
            fn reads(self) -> &'static [Self] {
                match self {
                    $(Self::$before_point => &[$(Self::$before_read),*],)*
                    $(Self::$point => &[$(Self::$read),*],)*
                    $(Self::$after_point => &[$(Self::$after_read),*],)*
                }
            }
        }

        impl Site {
            $($(#[doc = $before_doc])* pub const fn $before() -> Self {
                Self { layer: 0, point: Point::$before_point }
            })*
            $($(#[doc = $doc])* pub const fn $site(layer: usize) -> Self {
                Self { layer, point: Point::$point }
            })*
            $($(#[doc = $after_doc])* pub const fn $after() -> Self {
                Self { layer: 0, point: Point::$after_point }
            })*
        }
    };
}

site_table!(sites);

impl Site {
    /// All sites of block `layer`, in execution order.
    pub fn of_block(layer: usize) -> impl Iterator<Item = Self> {
        Point::IN_BLOCK.iter().map(move |&point| Self { layer, point })
    }

    /// All sites of a model of `n_layers` blocks, in execution order.
    pub fn all(n_layers: usize) -> impl Iterator<Item = Self> {
        let outside =
            |points: &'static [Point]| points.iter().map(|&point| Self { layer: 0, point });
        let blocks = (0..n_layers).flat_map(Self::of_block);
        outside(Point::BEFORE).chain(blocks).chain(outside(Point::AFTER))
    }

    /// The block that the site is in; `None` for those outside the blocks.
    pub fn layer(self) -> Option<usize> {
        match self.region() {
            Region::Block(layer) => Some(layer),
            Region::OutsideBlocks => None,
        }
    }

    /// The axes of the site's tensor.
    pub fn shape(self) -> SiteShape {
        self.point.shape()
    }

    pub(crate) fn region(self) -> Region {
        match self.section() {
            Section::Block => Region::Block(self.layer),
            Section::Before | Section::After => Region::OutsideBlocks,
        }
    }

    /// Its number among all sites of one block and all outside the blocks.
    pub(crate) const fn number(self) -> usize {
        self.point as usize
    }

    /// A number that is the site's own and stays so whatever sites are added: the FNV-1a hash of its
    /// name.
    pub(crate) fn code(self) -> u64 {
        let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        self.to_string().bytes().fold(0xcbf2_9ce4_8422_2325, fold)
    }

    /// The name, within its block if it is in one.
    fn label(self) -> &'static str {
        self.point.label()
    }

    fn section(self) -> Section {
        if self.point < Point::IN_BLOCK[0] {
            Section::Before
        } else if self.point < Point::AFTER[0] {
            Section::Block
        } else {
            Section::After
        }
    }
}

/// The parts of the model, in execution order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Section {
    Before,
    Block,
    After,
}

impl Ord for Site {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |site: &Self| (site.section(), site.layer, site.point);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Site {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
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
}
