//! A built-in edit in words.

use std::any::Any;

use serde::{Deserialize, Serialize};

use super::seed::Seed;
use super::tensors::{StoredTensors, TensorsToStore};
use crate::error::{InterventionError, Result};
use crate::hook::{Averaging, Edit};
use crate::intervention::knock_out::KnockOut;
use crate::intervention::noise::Amount;
use crate::intervention::shuffle::What;
use crate::intervention::{
    Add, Clamp, Interpolate, KeepOnly, MeanAblation, Noise, ProjectOut, Scale, Set, Shuffle,
};
use crate::shared_tensor::SharedTensor;
use crate::site::Site;

/// The edits that can be saved. Tensors are named as they are stored.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum EditDescription {
    Scale {
        factor: f64,
    },
    Set {
        value: String,
    },
    MeanOverTokens {
        mean: String,
    },
    MeanByPosition {
        mean: String,
    },
    Add {
        vector: String,
        coefficient: f64,
    },
    Interpolate {
        target: String,
        weight: f64,
    },
    ProjectOut {
        directions: String,
    },
    KeepOnly {
        directions: String,
    },
    Clamp {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lower: Option<f64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upper: Option<f64>,
    },
    GaussianNoise {
        std: f64,
        seed: Seed,
    },
    UniformNoise {
        half_width: f64,
        seed: Seed,
    },
    ShufflePositions {
        seed: Seed,
    },
    ShuffleChannels {
        seed: Seed,
    },
    KnockOut,
}

impl EditDescription {
    /// Describes `edit`, whose tensor is to be stored as `name`; `None` if it is not built in.
    pub fn of(
        edit: &dyn Edit,
        name: &str,
        tensors: &mut TensorsToStore<'_>,
    ) -> Result<Option<Self>> {
        let edit: &dyn Any = edit;
        let name = name.to_owned();
        Ok(Some(if let Some(scale) = edit.downcast_ref::<Scale>() {
            Self::Scale { factor: scale.factor() }
        } else if let Some(set) = edit.downcast_ref::<Set>() {
            tensors.add(&name, set.value.tensor())?;
            Self::Set { value: name }
        } else if let Some(MeanAblation { averaging, mean, .. }) = edit.downcast_ref() {
            tensors.add(&name, mean)?;
            match averaging {
                Averaging::OverTokens => Self::MeanOverTokens { mean: name },
                Averaging::ByPosition => Self::MeanByPosition { mean: name },
            }
        } else if let Some(Add { vector, coefficient }) = edit.downcast_ref() {
            tensors.add(&name, vector.tensor())?;
            Self::Add { vector: name, coefficient: *coefficient }
        } else if let Some(Interpolate { target, weight }) = edit.downcast_ref() {
            tensors.add(&name, target.tensor())?;
            Self::Interpolate { target: name, weight: *weight }
        } else if let Some(ProjectOut { directions }) = edit.downcast_ref() {
            tensors.add(&name, directions.tensor())?;
            Self::ProjectOut { directions: name }
        } else if let Some(KeepOnly { directions }) = edit.downcast_ref() {
            tensors.add(&name, directions.tensor())?;
            Self::KeepOnly { directions: name }
        } else if let Some(&Clamp { lower, upper }) = edit.downcast_ref() {
            Self::Clamp { lower, upper }
        } else if let Some(&Noise { amount, seed }) = edit.downcast_ref() {
            let seed = Seed(seed);
            match amount {
                Amount::Gaussian { std } => Self::GaussianNoise { std, seed },
                Amount::Uniform { half_width } => Self::UniformNoise { half_width, seed },
            }
        } else if let Some(&Shuffle { what, seed }) = edit.downcast_ref() {
            let seed = Seed(seed);
            match what {
                What::Positions => Self::ShufflePositions { seed },
                What::Channels => Self::ShuffleChannels { seed },
            }
        } else if edit.is::<KnockOut>() {
            Self::KnockOut
        } else {
            return Ok(None);
        }))
    }

    /// The edit that is described, to be put at `site`.
    pub fn into_edit(self, site: Site, tensors: &mut StoredTensors) -> Result<Box<dyn Edit>> {
        Ok(match self {
            Self::Scale { factor } => Box::new(Scale::new(factor)?),
            Self::Set { value } => Box::new(Set::new(&tensors.read(&value)?)?),
            Self::MeanOverTokens { mean } => {
                let mean = SharedTensor::from_own(tensors.read(&mean)?);
                Box::new(MeanAblation::of(site, Averaging::OverTokens, mean))
            }
            Self::MeanByPosition { mean } => {
                let mean = SharedTensor::from_own(tensors.read(&mean)?);
                Box::new(MeanAblation::of(site, Averaging::ByPosition, mean))
            }
            Self::Add { vector, coefficient } => {
                Box::new(Add::new(&tensors.read(&vector)?, coefficient)?)
            }
            Self::Interpolate { target, weight } => {
                Box::new(Interpolate::new(&tensors.read(&target)?, weight)?)
            }
            Self::ProjectOut { directions } => {
                Box::new(ProjectOut::new(&tensors.read(&directions)?)?)
            }
            Self::KeepOnly { directions } => Box::new(KeepOnly::new(&tensors.read(&directions)?)?),
            Self::Clamp { lower, upper } => Box::new(Clamp::new(lower, upper)?),
            Self::GaussianNoise { std, seed } => Box::new(Noise::gaussian(std, seed.0)?),
            Self::UniformNoise { half_width, seed } => {
                Box::new(Noise::uniform(half_width, seed.0)?)
            }
            Self::ShufflePositions { seed } => Box::new(Shuffle::positions(seed.0)),
            Self::ShuffleChannels { seed } => Box::new(Shuffle::channels(seed.0)),
            Self::KnockOut if site.layer().map(Site::attn_scores) == Some(site) => {
                Box::new(KnockOut)
            }
            Self::KnockOut => {
                return Err(InterventionError::EditSite { allowed: "attn_scores" }.into());
            }
        })
    }
}
