//! Places in the model where a hook may stand.

use std::fmt;

/// A place in the model, under the name and with the tensor of TransformerLens.
///
/// Sites are ordered by execution. Every one so far is residual-like: its tensor is
/// `[batch, pos, d_model]`.
///
/// | site | tensor |
/// |---|---|
/// | `blocks.{l}.hook_resid_pre` | the residual stream entering block l; for block 0, token plus position embedding |
/// | `blocks.{l}.hook_attn_out` | what attention adds to the stream, output bias included |
/// | `blocks.{l}.hook_resid_mid` | `resid_pre + attn_out` |
/// | `blocks.{l}.hook_mlp_out` | what the MLP adds to the stream, output bias included |
/// | `blocks.{l}.hook_resid_post` | `resid_mid + mlp_out`, what a block returns as its hidden state |
///
/// ```
/// # use hooked_gpt2::hook::Site;
/// assert_eq!(Site::resid_post(2).to_string(), "blocks.2.hook_resid_post");
/// assert!(Site::resid_post(2) < Site::resid_pre(3));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Site {
    layer: usize,
    point: Point,
}

/// The places within one block, in execution order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Point {
    ResidPre,
    AttnOut,
    ResidMid,
    MlpOut,
    ResidPost,
}

impl Site {
    /// The residual stream entering block `layer`.
    pub const fn resid_pre(layer: usize) -> Self {
        Self { layer, point: Point::ResidPre }
    }

    /// What attention adds to the stream in block `layer`.
    pub const fn attn_out(layer: usize) -> Self {
        Self { layer, point: Point::AttnOut }
    }

    /// The residual stream between attention and MLP of block `layer`.
    pub const fn resid_mid(layer: usize) -> Self {
        Self { layer, point: Point::ResidMid }
    }

    /// What the MLP adds to the stream in block `layer`.
    pub const fn mlp_out(layer: usize) -> Self {
        Self { layer, point: Point::MlpOut }
    }

    /// The residual stream leaving block `layer`.
    pub const fn resid_post(layer: usize) -> Self {
        Self { layer, point: Point::ResidPost }
    }

    /// All sites of block `layer`, in execution order.
    pub const fn of_block(layer: usize) -> [Self; 5] {
        [
            Self::resid_pre(layer),
            Self::attn_out(layer),
            Self::resid_mid(layer),
            Self::mlp_out(layer),
            Self::resid_post(layer),
        ]
    }

    /// The block that the site is in.
    pub const fn layer(self) -> usize {
        self.layer
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let point = match self.point {
            Point::ResidPre => "hook_resid_pre",
            Point::AttnOut => "hook_attn_out",
            Point::ResidMid => "hook_resid_mid",
            Point::MlpOut => "hook_mlp_out",
            Point::ResidPost => "hook_resid_post",
        };
        write!(f, "blocks.{}.{point}", self.layer)
    }
}
