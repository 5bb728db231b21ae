//! Selections of positions in words: `"last"`, `3`, `[1, 4]`, `{ from = 2, to = 5 }`.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::hook::{PositionSelection, Positions};

#[derive(Debug)]
pub(super) struct PositionsDescription(pub Positions);

/// The selections that take more than a word, a number or a list.
#[derive(Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Named {
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<usize>,
    /// The first position that is no longer selected.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_end: Option<usize>,
}

impl Serialize for PositionsDescription {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.selection() {
            PositionSelection::All => serializer.serialize_str("all"),
            PositionSelection::FromEnd(1) => serializer.serialize_str("last"),
            PositionSelection::FromEnd(distance) => {
                Named { from_end: Some(*distance), ..Named::default() }.serialize(serializer)
            }
            PositionSelection::Range(range) if range.len() == 1 => {
                range.start.serialize(serializer)
            }
            PositionSelection::Range(range) => {
                let (from, to) = (Some(range.start), Some(range.end));
                Named { from, to, from_end: None }.serialize(serializer)
            }
            PositionSelection::StartingAt(start) => {
                Named { from: Some(*start), ..Named::default() }.serialize(serializer)
            }
            PositionSelection::List(list) => list.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for PositionsDescription {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PositionsVisitor).map(Self)
    }
}

/// An untagged enum would not name a field that it does not know.
struct PositionsVisitor;

impl<'de> Visitor<'de> for PositionsVisitor {
    type Value = Positions;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "\"all\", \"last\", a position, a list of them, { from, to }, { from } or { from_end }",
        )
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Positions, E> {
        match word {
            "all" => Ok(Positions::all()),
            "last" => Ok(Positions::last()),
            _ => Err(E::invalid_value(Unexpected::Str(word), &self)),
        }
    }

    fn visit_u64<E: Error>(self, position: u64) -> Result<Positions, E> {
        match usize::try_from(position) {
            Ok(index) if index < usize::MAX => Ok(Positions::at(index)),
            _ => Err(E::invalid_value(Unexpected::Unsigned(position), &self)),
        }
    }

    fn visit_i64<E: Error>(self, position: i64) -> Result<Positions, E> {
        match u64::try_from(position) {
            Ok(position) => self.visit_u64(position),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(position), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Positions, A::Error> {
        Vec::<usize>::deserialize(SeqAccessDeserializer::new(list)).map(Positions::several)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Positions, A::Error> {
        match Named::deserialize(MapAccessDeserializer::new(map))? {
            Named { from: Some(from), to: Some(to), from_end: None } => {
                Ok(Positions::range(from..to))
            }
            Named { from: Some(from), to: None, from_end: None } => {
                Ok(Positions::starting_at(from))
            }
            Named { from: None, to: None, from_end: Some(distance) } => {
                Ok(Positions::from_end(distance))
            }
            _ => Err(A::Error::invalid_value(Unexpected::Map, &self)),
        }
    }
}
