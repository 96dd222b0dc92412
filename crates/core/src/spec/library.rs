//! What a library's own choice of algorithm and protocol goes by: the constants of its cost model.
//!
//! Latencies are in microseconds, rates in 1e9 bytes per second, as libraries publish them. They rank algorithms in
//! [`crate::stack`] and never become a time of a simulation, so they are no integers. Lists of three are by protocol: one that
//! sends a flag with every word (LL), one with every line (LL128), and one that hands over whole slices (Simple).
//!
//! **Invariant.** Numbers are finite, since text that is parsed has no others; protocols are those of the stack.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How a library chooses on a machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LibrarySpec {
    /// So many networks, the innermost first, are inside what the library takes for a node. With none its cost model does not apply.
    pub inside: u32,
    /// What it goes by on any machine.
    pub rules: RulesSpec,
}

/// The constants of a library's cost model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulesSpec {
    /// Of sends between pairs.
    #[serde(default)]
    pub sends: Option<SendsSpec>,
    /// Most channels that a search for rings gives.
    pub channels: u32,
    /// Least rate of channels that are split in two.
    pub split: f64,
    /// Channels of at least that rate are split in any case if there are no more than so many.
    pub few: u32,
    /// Channels that run for each that the search gives.
    pub copies: u32,
    /// See [`GenerationSpec::again`].
    pub again_below: u32,
    /// Rings.
    pub ring: RingSpec,
    /// Trees.
    pub tree: TreeSpec,
    /// Sums in the switches of a node.
    pub nvls: NvlsSpec,
    /// What the library has and the simulator has not, between nodes.
    pub nvls_tree: NvlsTreeSpec,
    /// What the library has and the simulator has not, of nodes of one accelerator.
    pub pat: PatSpec,
    /// Most of LL over two nodes, and over more.
    pub ll_across: [f64; 2],
    /// By generation of the accelerator.
    pub generations: BTreeMap<String, GenerationSpec>,
}

/// Sends between pairs: which protocol takes them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendsSpec {
    /// The protocol of short ones.
    pub short: String,
    /// That of others.
    pub long: String,
    /// Most bytes to one peer that are short.
    pub short_bytes: u64,
}

/// Rings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RingSpec {
    /// Names of the protocols.
    pub protocols: [String; 3],
    /// Latency of a call.
    pub base_us: [f64; 3],
    /// Latency of a hop inside a node.
    pub inside_us: [f64; 3],
    /// Latency of a hop between nodes.
    pub across_us: [f64; 3],
    /// Least latency of a hop inside a node if the ring leaves it.
    pub least_us: [f64; 3],
    /// Part of the rate of the rings.
    pub share: [f64; 3],
    /// Latency of all-reduces with the third protocol over several nodes grows by this factor...
    pub plateau: f64,
    /// ...from so many bytes per channel and rank on.
    pub plateau_bytes: u64,
}

/// Trees.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeSpec {
    /// Names of the protocols.
    pub protocols: [String; 3],
    /// Latency of a call.
    pub base_us: [f64; 3],
    /// Latency of a hop inside a node.
    pub inside_us: [f64; 3],
    /// Latency of a hop between nodes.
    pub across_us: [f64; 3],
    /// Part of the rate of the channels.
    pub share: f64,
    /// Part of that by protocol, on one node.
    pub share_inside: [f64; 3],
    /// Part of that by protocol, over several.
    pub share_across: [f64; 3],
    /// Part of the rate that is left where nodes have one accelerator.
    pub lone: f64,
    /// Part of the rate by size: the first for 64 to 127 bytes, the next for twice as many.
    pub correction: [Vec<f64>; 3],
}

/// Sums in the switches of a node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NvlsSpec {
    /// Name of the protocol.
    pub protocol: String,
    /// Latency.
    pub inside_us: f64,
    /// Most accelerators that form sums, and most of a node for other collectives than all-reduce.
    pub heads: u32,
}

/// A tree between nodes whose sums are formed in switches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NvlsTreeSpec {
    /// Its protocol.
    pub protocol: String,
    /// Latency inside nodes.
    pub inside_us: f64,
    /// Latency of a hop between nodes.
    pub across_us: f64,
}

/// Trees with the latency of a logarithm, over nodes of one accelerator.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatSpec {
    /// Name in texts.
    pub name: String,
    /// Latency of a call.
    pub base_us: f64,
    /// Hops of a tree between nodes that are under way at a time.
    pub overlap: f64,
    /// Latency per rank.
    pub rank_us: f64,
    /// Part of the rate of the channels.
    pub share: f64,
}

/// What depends on the generation of the accelerator. Lists of three are for one node, two, and more.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenerationSpec {
    /// Rate of a link inside a node.
    pub link: f64,
    /// Rate that its NICs are reached at.
    pub nic: f64,
    /// Rates of a channel that are tried on one node, highest first.
    pub rates_inside: Vec<f64>,
    /// Rates of a channel that are tried over several nodes, highest first.
    pub rates_across: Vec<f64>,
    /// Least rate of channels that are split in two where there are more than [`RulesSpec::few`].
    #[serde(default)]
    pub split_many: f64,
    /// Over several nodes channels of more than this rate run twice as often while there are less than [`RulesSpec::again_below`].
    #[serde(default)]
    pub again: Option<f64>,
    /// Most of LL on one node.
    pub ll: f64,
    /// Most of a channel of an LL128 ring.
    pub ring_ll128: [f64; 3],
    /// Most of a channel of a tree.
    pub tree: [f64; 3],
    /// Most of a channel of an LL128 tree.
    pub tree_ll128: [f64; 3],
    /// Part of the rate that sums in switches reach; 0: there are none.
    #[serde(default)]
    pub nvls: f64,
    /// Most of a channel of a tree of such nodes, over two nodes and over more.
    pub nvls_tree: [f64; 2],
}
