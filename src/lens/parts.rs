//! What the residual stream is the sum of.

use tch::{Kind, Tensor};

use super::arrays::double;
use super::component::Component;
use super::read_at::ReadPositions;
use crate::config::Config;
use crate::error::{LensError, Result};
use crate::hook::{Capture, Positions, Site};
use crate::model::{Gpt2, Parameter, Run, RunOutput};

/// Into which parts a residual stream or a logit is taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Parts {
    /// Embeddings, attention of each block, MLP of each block: `embed`, `pos_embed`, `a0`, `m0`, …
    Layers,
    /// Embeddings, each head, attention's bias, MLP of each block: `embed`, `pos_embed`, `a0.0`, …, `a0.bias`,
    /// `m0`, …
    #[default]
    Heads,
    /// The same with each neuron and the MLP's bias in the place of the MLP: …, `m0.0`, …, `m0.bias`, …
    Neurons,
}

/// A place of the residual stream, as the sum of what was added before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stream {
    site: Site,
    /// The blocks whose attention is in it.
    attentions: usize,
    /// The blocks whose MLP is in it.
    mlps: usize,
}

impl Stream {
    /// # Errors
    /// [`LensError::Site`] for what is no place of the stream, and
    /// [`LayerOutOfRange`](crate::error::SelectionError::LayerOutOfRange).
    pub fn at(site: Site, config: &Config) -> Result<Self> {
        const ALLOWED: &str = "resid_pre, resid_mid and resid_post of a block";
        let layer = site.layer().ok_or(LensError::Site { site, allowed: ALLOWED })?;
        config.check_layer(layer)?;
        let is = |place: fn(usize) -> Site| site == place(layer);
        let (attentions, mlps) = if is(Site::resid_pre) {
            (layer, layer)
        } else if is(Site::resid_mid) {
            (layer + 1, layer)
        } else if is(Site::resid_post) {
            (layer + 1, layer + 1)
        } else {
            return Err(LensError::Site { site, allowed: ALLOWED }.into());
        };
        Ok(Self { site, attentions, mlps })
    }

    /// What leaves the last block.
    pub fn last(config: &Config) -> Self {
        let n_layers = config.n_layers;
        let site = Site::resid_post(n_layers.saturating_sub(1));
        Self { site, attentions: n_layers, mlps: n_layers }
    }

    /// What has to be captured: the stream itself, and what its parts are computed from.
    fn captures(self, parts: Parts, positions: &Positions) -> Vec<Capture> {
        let attention = match parts {
            Parts::Layers => Site::attn_out,
            Parts::Heads | Parts::Neurons => Site::z,
        };
        let mlp = match parts {
            Parts::Layers | Parts::Heads => Site::mlp_out,
            Parts::Neurons => Site::mlp_post,
        };
        let sites = [Site::embed(), Site::pos_embed(), self.site].into_iter();
        let sites = sites.chain((0..self.attentions).map(attention)).chain((0..self.mlps).map(mlp));
        sites.map(|site| Capture::new(site).positions(positions.clone())).collect()
    }
}

/// The sum, of a run that captured what it needs.
pub(super) struct Sum<'a> {
    model: &'a Gpt2,
    pub output: RunOutput,
    stream: Stream,
    parts: Parts,
    positions: &'a Positions,
    pub read: ReadPositions,
}

impl<'a> Sum<'a> {
    /// Runs the model.
    pub fn of(
        run: Run<'a>,
        stream: Stream,
        parts: Parts,
        positions: &'a Positions,
    ) -> Result<Self> {
        let (model, read) = (run.model(), ReadPositions::new(positions, run.batch())?);
        let output = run.capture(stream.captures(parts, positions)).execute()?;
        Ok(Self { model, output, stream, parts, positions, read })
    }

    /// The names of the parts, in the order of [`parts`](Self::parts).
    pub fn components(&self) -> Vec<Component> {
        let (config, Stream { attentions, mlps, .. }) = (self.model.config(), self.stream);
        let mut components = vec![Component::Embed, Component::PosEmbed];
        for layer in 0..attentions {
            match self.parts {
                Parts::Layers => components.push(Component::Attention { layer }),
                Parts::Heads | Parts::Neurons => {
                    let heads = 0..config.n_heads;
                    components.extend(heads.map(|head| Component::Head { layer, head }));
                    components.push(Component::AttentionBias { layer });
                }
            }
            if layer >= mlps {
                continue;
            }
            match self.parts {
                Parts::Layers | Parts::Heads => components.push(Component::Mlp { layer }),
                Parts::Neurons => {
                    let neurons = 0..config.d_mlp;
                    components.extend(neurons.map(|neuron| Component::Neuron { layer, neuron }));
                    components.push(Component::MlpBias { layer });
                }
            }
        }
        components
    }

    /// Whether hooks changed the stream, before or at this place, otherwise than in one of its parts.
    pub fn is_edited(&self) -> bool {
        let counts = |site: Site| {
            let Some(layer) = site.layer() else { return false };
            let is = |places: &[fn(usize) -> Site]| places.iter().any(|place| site == place(layer));
            is(&[Site::resid_pre, Site::resid_mid, Site::resid_post])
                || (self.parts != Parts::Layers && is(&[Site::result, Site::attn_out]))
                || (self.parts == Parts::Neurons && is(&[Site::mlp_out]))
        };
        let mut entries = self.output.ledger.entries().iter();
        entries.any(|entry| {
            entry.change_l2 != 0.0 && entry.site <= self.stream.site && counts(entry.site)
        })
    }

    /// Each sequence's parts as `project` sees them, a map that is linear in the last axis.
    ///
    /// # Shapes
    /// - project: `[…, d_model]` to `[…, m]`
    /// - result: `[component, pos, m]` for each sequence
    pub fn parts(&self, project: impl Fn(usize, &Tensor) -> Result<Tensor>) -> Result<Vec<Tensor>> {
        let mut parts: Vec<Vec<Tensor>> =
            (0..self.read.n_sequences()).map(|_| Vec::new()).collect();
        let whole = |parts: &mut Vec<Vec<Tensor>>, site| -> Result<()> {
            for (sequence, parts) in parts.iter_mut().enumerate() {
                let x = self.captured(site, sequence)?;
                parts.push(project(sequence, &x)?.f_unsqueeze(0)?);
            }
            Ok(())
        };
        whole(&mut parts, Site::embed())?;
        whole(&mut parts, Site::pos_embed())?;
        for layer in 0..self.stream.attentions {
            match self.parts {
                Parts::Layers => whole(&mut parts, Site::attn_out(layer))?,
                Parts::Heads | Parts::Neurons => {
                    let (w_o, b_o) = (Parameter::w_o(layer), Parameter::b_o(layer));
                    let (w_o, b_o) = (self.weight(w_o)?, self.weight(b_o)?);
                    for (sequence, parts) in parts.iter_mut().enumerate() {
                        let z = self.captured(Site::z(layer), sequence)?.f_permute([1, 0, 2])?;
                        parts.push(z.f_matmul(&project(sequence, &w_o)?)?);
                        parts.push(everywhere(&project(sequence, &b_o)?, z.size()[1])?);
                    }
                }
            }
            if layer >= self.stream.mlps {
                continue;
            }
            match self.parts {
                Parts::Layers | Parts::Heads => whole(&mut parts, Site::mlp_out(layer))?,
                Parts::Neurons => {
                    let (w_out, b_out) = (Parameter::w_out(layer), Parameter::b_out(layer));
                    let (w_out, b_out) = (self.weight(w_out)?, self.weight(b_out)?);
                    for (sequence, parts) in parts.iter_mut().enumerate() {
                        let post = self.captured(Site::mlp_post(layer), sequence)?;
                        let directions = project(sequence, &w_out)?.f_unsqueeze(1)?;
                        let neurons = post.f_transpose(0, 1)?.f_unsqueeze(-1)?;
                        parts.push(neurons.f_mul(&directions)?);
                        parts.push(everywhere(&project(sequence, &b_out)?, post.size()[0])?);
                    }
                }
            }
        }
        parts.iter().map(|parts| Ok(Tensor::f_cat(parts, 0)?)).collect()
    }

    /// The stream itself, `[pos, d_model]`.
    pub fn whole(&self, sequence: usize) -> Result<Tensor> {
        self.captured(self.stream.site, sequence)
    }

    /// Adds the part that hooks have in `whole`.
    ///
    /// # Shapes
    /// - parts: `[component, pos, m]`
    /// - whole: `[pos, m]`
    pub fn with_edits(parts: &Tensor, whole: &Tensor) -> Result<Tensor> {
        let summed = parts.f_sum_dim_intlist(0, false, None::<Kind>)?;
        Ok(Tensor::f_cat(&[parts, &whole.f_sub(&summed)?.f_unsqueeze(0)?], 0)?)
    }

    fn captured(&self, site: Site, sequence: usize) -> Result<Tensor> {
        let capture = Capture::new(site).positions(self.positions.clone());
        double(&self.output.activations.get(&capture, sequence)?)
    }

    fn weight(&self, parameter: Parameter) -> Result<Tensor> {
        double(&self.model.parameter(parameter)?)
    }
}

/// The same at each position: of `[m]`, `[1, pos, m]`.
fn everywhere(x: &Tensor, n_positions: i64) -> Result<Tensor> {
    Ok(x.f_view([1, 1, -1])?.f_expand([1, n_positions, -1], false)?)
}
