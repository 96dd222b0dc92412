//! How the algorithm of a run is chosen.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Algorithm;

/// An algorithm, or who chooses it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Pick {
    /// What the library would take, or the fastest of its own by simulation where its rule is not known.
    #[default]
    Auto,
    /// The fastest of all algorithms, protocols and numbers of lanes, by simulation.
    Best,
    /// This one.
    Only(Algorithm),
}

impl Pick {
    /// The algorithm, if one is named.
    pub fn named(self) -> Option<Algorithm> {
        match self {
            Pick::Only(algorithm) => Some(algorithm),
            Pick::Auto | Pick::Best => None,
        }
    }

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Pick::Auto => "auto",
            Pick::Best => "best",
            Pick::Only(algorithm) => algorithm.name(),
        }
    }
}

impl Serialize for Pick {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Pick {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<str>::deserialize(deserializer)?;
        match &*name {
            "auto" => Ok(Pick::Auto),
            "best" => Ok(Pick::Best),
            other => Algorithm::parse(other).map(Pick::Only).map_err(serde::de::Error::custom),
        }
    }
}
