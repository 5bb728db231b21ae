//! The number formats that a model computes in.

use std::fmt;
use std::str::FromStr;

use tch::Kind;

use crate::error::{Error, Result};

/// The number format of a loaded model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    F32,
    /// 64-bit floats: twice the memory, and roundings too small to be mistaken for an effect.
    F64,
    /// 32-bit floats everywhere but in the matrix products of the blocks, which take weights and inputs
    /// rounded to bfloat16: 8 bits of mantissa, errors of some tenths of a percent. Half the memory, and
    /// faster where the machine multiplies such numbers by itself. Hooks see 32-bit floats.
    Bf16,
}

impl Precision {
    /// That of activations, and of all weights but those of products.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Precision::F32 | Precision::Bf16 => Kind::Float,
            Precision::F64 => Kind::Double,
        }
    }

    /// That of the factors of the matrix products of the blocks.
    pub(crate) fn factors(self) -> Kind {
        match self {
            Precision::Bf16 => Kind::BFloat16,
            Precision::F32 | Precision::F64 => self.kind(),
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Precision::F32 => "f32",
            Precision::F64 => "f64",
            Precision::Bf16 => "bf16",
        })
    }
}

impl FromStr for Precision {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "f32" => Ok(Precision::F32),
            "f64" => Ok(Precision::F64),
            "bf16" => Ok(Precision::Bf16),
            _ => Err(Error::UnknownName {
                what: "precision",
                given: name.to_owned(),
                allowed: "f32, f64, bf16".to_owned(),
            }),
        }
    }
}
