//! Reading a topology: an object whose key `kind` says which one it is.
//!
//! **Model.** serde reads an enum that is tagged inside its object by keeping the whole object first, because the tag may
//! come last. For the edges of a large graph that takes several times as long as reading them. Here the rest is read in
//! place if the tag comes first, as it does in what this package writes. **Invariant.** What is written can be read. **Cost.** That of the fields.

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, MapDeserializer, StrDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, MapAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::TopologySpec;

/// The fields of each kind, held against [`TopologySpec`] by the compiler.
#[derive(Deserialize)]
#[serde(remote = "TopologySpec", rename_all = "snake_case", deny_unknown_fields)]
enum Fields {
    Clos {
        down: Vec<u32>,
        up: Vec<u32>,
        parallel: Vec<u32>,
        #[serde(default = "super::one")]
        rails: u32,
    },
    Torus {
        dims: Vec<u32>,
        wrap: Vec<bool>,
        #[serde(default)]
        twist: Vec<[u32; 2]>,
    },
    FullMesh {
        dims: Vec<u32>,
    },
    Graph {
        switches: u32,
        edges: Vec<[u32; 4]>,
        #[serde(default)]
        switch_kinds: Vec<u16>,
        #[serde(default)]
        weights: Vec<u8>,
        #[serde(default)]
        forwarding: Option<u16>,
    },
}

impl<'de> Deserialize<'de> for TopologySpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Object)
    }
}

struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = TopologySpec;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a topology: an object with a \"kind\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TopologySpec, A::Error> {
        let mut kept = serde_json::Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if key != "kind" {
                kept.insert(key, map.next_value()?);
            } else if kept.is_empty() {
                return Fields::deserialize(Variant { kind: map.next_value()?, map });
            } else {
                let kind = map.next_value()?;
                while let Some((key, value)) = map.next_entry()? {
                    kept.insert(key, value);
                }
                return Fields::deserialize(Variant { kind, map: MapDeserializer::new(kept.into_iter()) })
                    .map_err(|error: serde_json::Error| A::Error::custom(error));
            }
        }
        Err(A::Error::missing_field("kind"))
    }
}

/// An enum made of a variant's name and the rest of an object.
struct Variant<A> {
    kind: String,
    map: A,
}

impl<'de, A: MapAccess<'de>> Deserializer<'de> for Variant<A> {
    type Error = A::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_enum(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, A: MapAccess<'de>> EnumAccess<'de> for Variant<A> {
    type Error = A::Error;
    type Variant = Rest<A>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Rest<A>), A::Error> {
        let name: StrDeserializer<'_, A::Error> = self.kind.as_str().into_deserializer();
        Ok((seed.deserialize(name)?, Rest(self.map)))
    }
}

/// The fields that follow the name.
struct Rest<A>(A);

impl<'de, A: MapAccess<'de>> VariantAccess<'de> for Rest<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        Err(Error::custom("a topology has fields"))
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        seed.deserialize(MapAccessDeserializer::new(self.0))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_map(self.0)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_map(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<TopologySpec, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_written_can_be_read() {
        let all = [
            TopologySpec::Clos { down: vec![4], up: vec![1], parallel: vec![1], rails: 2 },
            TopologySpec::Torus { dims: vec![4, 4], wrap: vec![true, false], twist: vec![[0, 1]] },
            TopologySpec::FullMesh { dims: vec![8] },
            TopologySpec::Graph {
                switches: 2,
                edges: vec![[0, 2, 0, 1], [1, 3, 0, 1]],
                switch_kinds: vec![0, 1],
                weights: vec![1],
                forwarding: Some(1),
            },
        ];
        for topology in all {
            assert_eq!(read(&serde_json::to_string(&topology).unwrap()), Ok(topology));
        }
        let last = r#"{"dims": [8], "kind": "full_mesh"}"#;
        assert_eq!(read(last), Ok(TopologySpec::FullMesh { dims: vec![8] }));
        let short = r#"{"kind": "clos", "down": [4], "up": [1], "parallel": [1]}"#;
        let wanted = TopologySpec::Clos { down: vec![4], up: vec![1], parallel: vec![1], rails: 1 };
        assert_eq!(read(short), Ok(wanted));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, says) in [
            (r#"{"dims": [8]}"#, "missing field `kind`"),
            (r#"{"dims": [8], "kind": "full_mesh", "side": 8}"#, "unknown field `side`, expected `dims`"),
            (r#"{"kind": "cube"}"#, "unknown variant `cube`, expected one of `clos`"),
            (r#"{"kind": "full_mesh", "side": 8}"#, "unknown field `side`, expected `dims`"),
            (r#"{"kind": "full_mesh"}"#, "missing field `dims`"),
            ("{}", "missing field `kind`"),
            ("3", "expected a topology: an object with a"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
