//! The messages of a trace: metadata and nodes, each behind its length.
//!
//! **Model.** The fields of Chakra's schema, versions 0.0.4 to 1.0.0; others are passed over. An attribute may have any of the integer types:
//! producers differ. **Invariant.** A length that is larger than what is left is an error before anything is read by it.

use prost::Message;

/// What is wrong with a file, and where.
pub(super) struct Problem {
    pub(super) place: String,
    pub(super) what: String,
}

/// Facts about a trace.
#[derive(Clone, PartialEq, Message)]
struct Metadata {
    #[prost(string, tag = "1")]
    version: String,
}

/// A list of truths.
#[derive(Clone, PartialEq, Message)]
struct Truths {
    #[prost(bool, repeated, tag = "1")]
    values: Vec<bool>,
}

/// What goes into a node or comes out of it.
#[derive(Clone, PartialEq, Message)]
struct Values {
    #[prost(string, tag = "1")]
    values: String,
}

/// A named value, as far as it is a whole number, a truth or a text.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Attribute {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int32, optional, tag = "7")]
    int32: Option<i32>,
    #[prost(int64, optional, tag = "9")]
    int64: Option<i64>,
    #[prost(uint32, optional, tag = "11")]
    uint32: Option<u32>,
    #[prost(uint64, optional, tag = "13")]
    uint64: Option<u64>,
    #[prost(sint32, optional, tag = "15")]
    sint32: Option<i32>,
    #[prost(sint64, optional, tag = "17")]
    sint64: Option<i64>,
    #[prost(fixed32, optional, tag = "19")]
    fixed32: Option<u32>,
    #[prost(fixed64, optional, tag = "21")]
    fixed64: Option<u64>,
    #[prost(sfixed32, optional, tag = "23")]
    sfixed32: Option<i32>,
    #[prost(sfixed64, optional, tag = "25")]
    sfixed64: Option<i64>,
    #[prost(bool, optional, tag = "27")]
    truth: Option<bool>,
    #[prost(message, optional, tag = "28")]
    truths: Option<Truths>,
    #[prost(string, optional, tag = "29")]
    text: Option<String>,
}

impl Attribute {
    /// Its value, if it is a whole number that is not negative, or a truth.
    fn integer(&self) -> Option<u64> {
        let narrow = [self.int32, self.sint32, self.sfixed32].into_iter().flatten().map(i64::from);
        let mut signed = narrow.chain([self.int64, self.sint64, self.sfixed64].into_iter().flatten());
        let mut plain = [self.uint32, self.fixed32].into_iter().flatten().map(u64::from);
        let wide = [self.uint64, self.fixed64, self.truth.map(u64::from)];
        plain.next().or(wide.into_iter().flatten().next()).or(signed.next().and_then(|n| u64::try_from(n).ok()))
    }
}

/// A node of a trace.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Node {
    #[prost(uint64, tag = "1")]
    pub(super) id: u64,
    #[prost(string, tag = "2")]
    pub(super) name: String,
    #[prost(int32, tag = "3")]
    pub(super) kind: i32,
    #[prost(uint64, repeated, tag = "4")]
    pub(super) ctrl_deps: Vec<u64>,
    #[prost(uint64, repeated, tag = "5")]
    pub(super) data_deps: Vec<u64>,
    #[prost(uint64, tag = "7")]
    pub(super) duration_micros: u64,
    #[prost(message, optional, tag = "8")]
    inputs: Option<Values>,
    #[prost(message, repeated, tag = "10")]
    attributes: Vec<Attribute>,
}

impl Node {
    fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// True for a collective, and not for the call of the host that launches one.
    pub(super) fn is_collective(&self) -> bool {
        let call = self.integer("is_cpu_op") == Some(1) && !self.has("comm_type");
        self.kind == super::COLLECTIVE && !call
    }

    /// A whole number among its attributes.
    pub(super) fn integer(&self, name: &str) -> Option<u64> {
        self.attribute(name)?.integer()
    }

    /// A text among its attributes.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.attribute(name)?.text.as_deref()
    }

    /// A list of truths among its attributes; empty if the attribute is of another type.
    pub(super) fn truths(&self, name: &str) -> Option<&[bool]> {
        Some(self.attribute(name)?.truths.as_ref().map_or(&[], |list| &list.values))
    }

    /// True if it has an attribute, of whatever type.
    pub(super) fn has(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    /// The values of its inputs, as the text that the format has for them.
    pub(super) fn inputs(&self) -> &str {
        self.inputs.as_ref().map_or("", |inputs| &inputs.values)
    }
}

/// All nodes of a trace.
pub(super) fn messages(mut bytes: &[u8]) -> Result<Vec<Node>, Problem> {
    let all = bytes.len();
    let mut nodes = vec![];
    let mut number = 0;
    while !bytes.is_empty() {
        let at = all - bytes.len();
        let problem = |what: String| Problem { place: format!("message {number} at byte {at}"), what };
        let length = prost::decode_length_delimiter(&mut bytes).map_err(|error| problem(error.to_string()))?;
        let Some((message, rest)) = bytes.split_at_checked(length) else {
            return Err(problem(format!("{length} bytes, of which {} are there", bytes.len())));
        };
        bytes = rest;
        if number == 0 {
            Metadata::decode(message).map_err(|error| problem(error.to_string()))?;
        } else {
            nodes.push(Node::decode(message).map_err(|error| problem(error.to_string()))?);
        }
        number += 1;
    }
    if number == 0 {
        return Err(Problem { place: "file".into(), what: "no bytes".into() });
    }
    Ok(nodes)
}
