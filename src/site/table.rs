//! The table of all sites: what everything else that depends on which sites there are is made from.

/// Hands the table to the macro `$then`.
///
/// A line is a site's documentation; its constructor; its variant of [`Point`](super::Point); its
/// [`SiteShape`](super::SiteShape); its name in TransformerLens, within its block if it is in one; and after `reads`
/// the sites of its block, or of those outside the blocks, that it is computed from. Lines stand in
/// execution order.
macro_rules! site_table {
    ($then:ident) => {
        $then! {
            before {
                /// The token embedding.
                embed Embed Residual "hook_embed" reads []
                /// The position embedding.
                pos_embed PosEmbed Residual "hook_pos_embed" reads []
            }
            block {
                /// The residual stream entering block `layer`; for block 0, token plus position embedding.
                resid_pre ResidPre Residual "hook_resid_pre" reads []
                /// The residual as each head's attention reads it, before the layer norm.
                attn_in AttnIn HeadResidual "hook_attn_in" reads [ResidPre]
                /// The residual as each head's queries read it, before the layer norm.
                q_input QInput HeadResidual "hook_q_input" reads [AttnIn]
                /// The residual as each head's keys read it, before the layer norm.
                k_input KInput HeadResidual "hook_k_input" reads [AttnIn]
                /// The residual as each head's values read it, before the layer norm.
                v_input VInput HeadResidual "hook_v_input" reads [AttnIn]
                /// `sqrt(var + eps)`, the divisor of attention's layer norm.
                ln1_scale Ln1Scale PerPosition "ln1.hook_scale" reads [ResidPre]
                /// `(x - mean) / scale` of attention's layer norm, before gain and bias.
                ln1_normalized Ln1Normalized Residual "ln1.hook_normalized" reads [ResidPre, Ln1Scale]
                /// The queries, bias included.
                q Q HeadVector "attn.hook_q" reads [Ln1Normalized, QInput]
                /// The keys, bias included.
                k K HeadVector "attn.hook_k" reads [Ln1Normalized, KInput]
                /// The values, bias included.
                v V HeadVector "attn.hook_v" reads [Ln1Normalized, VInput]
                /// The scaled attention scores, after the causal mask (negative infinity where it masks).
                attn_scores AttnScores Attention "attn.hook_attn_scores" reads [Q, K]
                /// The attention pattern: softmax of the scores over the keys.
                pattern Pattern Attention "attn.hook_pattern" reads [AttnScores]
                /// Each head's mixture of values, `pattern · v`.
                z Z HeadVector "attn.hook_z" reads [Pattern, V]
                /// What each head adds to the stream, `z_h W_O[h]`, without the output bias.
                result Result HeadResidual "attn.hook_result" reads [Z]
                /// What attention adds to the stream, output bias included.
                attn_out AttnOut Residual "hook_attn_out" reads [Result]
                /// The residual stream between attention and MLP, `resid_pre + attn_out`.
                resid_mid ResidMid Residual "hook_resid_mid" reads [ResidPre, AttnOut]
                /// The residual as the MLP reads it, before the layer norm.
                mlp_in MlpIn Residual "hook_mlp_in" reads [ResidMid]
                /// `sqrt(var + eps)`, the divisor of the MLP's layer norm.
                ln2_scale Ln2Scale PerPosition "ln2.hook_scale" reads [MlpIn]
                /// `(x - mean) / scale` of the MLP's layer norm, before gain and bias.
                ln2_normalized Ln2Normalized Residual "ln2.hook_normalized" reads [MlpIn, Ln2Scale]
                /// The neurons before the activation function, bias included.
                mlp_pre MlpPre Neurons "mlp.hook_pre" reads [Ln2Normalized]
                /// The neurons after the activation function.
                mlp_post MlpPost Neurons "mlp.hook_post" reads [MlpPre]
                /// What the MLP adds to the stream, output bias included.
                mlp_out MlpOut Residual "hook_mlp_out" reads [MlpPost]
                /// The residual stream leaving block `layer`, `resid_mid + mlp_out`.
                resid_post ResidPost Residual "hook_resid_post" reads [ResidMid, MlpOut]
            }
            after {
                /// `sqrt(var + eps)`, the divisor of the final layer norm.
                ln_final_scale LnFinalScale PerPosition "ln_final.hook_scale" reads []
                /// `(x - mean) / scale` of the final layer norm, before gain and bias.
                ln_final_normalized LnFinalNormalized Residual "ln_final.hook_normalized"
                    reads [LnFinalScale]
                /// The logits.
                unembed Unembed Vocabulary "hook_unembed" reads [LnFinalNormalized]
            }
        }
    };
}

pub(crate) use site_table;
