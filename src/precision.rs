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
}

impl Precision {
    pub(crate) fn kind(self) -> Kind {
        match self {
            Precision::F32 => Kind::Float,
            Precision::F64 => Kind::Double,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Precision::F32 => "f32",
            Precision::F64 => "f64",
        })
    }
}

impl FromStr for Precision {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "f32" => Ok(Precision::F32),
            "f64" => Ok(Precision::F64),
            _ => Err(Error::UnknownName {
                what: "precision",
                given: name.to_owned(),
                allowed: "f32, f64".to_owned(),
            }),
        }
    }
}
