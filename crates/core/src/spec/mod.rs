//! The specification of a run, as it crosses the boundary: plain data, parsed with serde, units already integers.
//!
//! Strings with units ("400 Gbit/s") end on the Python side; here every number is an integer in bits per second,
//! femtoseconds or bytes. Unknown fields are errors that name the field.
//!
//! **Invariant.** [`RunSpec::from_json`] returns a specification whose every field was range-checked by
//! [`validate()`]; nothing behind it checks again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod library;
mod names;
mod pick;
mod topology;
mod validate;
mod workload;
pub use library::{
    GenerationSpec, LibrarySpec, NvlsSpec, NvlsTreeSpec, PatSpec, RingSpec, RulesSpec, SendsSpec, TreeSpec,
};
pub use names::{Algorithm, Collective, Fidelity, LIBRARIES, Named, Pattern, RoutingSpec, Selection, Table};
pub use pick::Pick;
pub use validate::{validate, validate_system};
pub use workload::{AfterSpec, AxisSpec, JobSpec, NodeSpec, PatternSpec, PlaceSpec, ProgramSpec};

use crate::error::{Error, Result};
use crate::units::{BitRate, Fs};

/// Nanoseconds of a nominal core that `auto` spends on a run: 30 s.
pub const DEFAULT_BUDGET_NS: u64 = 30_000_000_000;

/// Everything that one simulation needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSpec {
    /// The machine.
    pub system: SystemSpec,
    /// What the ranks want to achieve together.
    pub collective: Collective,
    /// How they do it.
    #[serde(default)]
    pub algorithm: Pick,
    /// Bytes as in nccl-tests' size column for this collective.
    pub bytes: u64,
    /// Bytes of one element; chunks are cut at element borders.
    #[serde(default = "default_element")]
    pub element_bytes: u32,
    /// Root of rooted collectives.
    #[serde(default)]
    pub root: u32,
    /// Ranks taking part; by default every accelerator.
    #[serde(default)]
    pub ranks: Option<u32>,
    /// Accelerator of each rank; by default the identity.
    #[serde(default)]
    pub placement: Option<Vec<u32>>,
    /// Lanes (channels); by default the algorithm's own choice.
    #[serde(default)]
    pub lanes: Option<u32>,
    /// Pipelined chunks a lane for tree algorithms; by default the algorithm's own choice.
    #[serde(default)]
    pub chunks: Option<u32>,
    /// Sizes of nested groups of the hierarchical algorithm, innermost first, product the number of ranks; by default
    /// those of the networks.
    #[serde(default)]
    pub levels: Option<Vec<u32>>,
    /// Software costs.
    pub stack: StackSpec,
    /// How closely the run is looked at.
    #[serde(default)]
    pub fidelity: Selection<Fidelity>,
    /// Nanoseconds of a nominal core that choices left to the simulator may cost: an eighth at most for settling the algorithm, and
    /// with `auto` fidelity a run by packets, or as fluids, that is predicted to take no longer.
    #[serde(default = "default_budget")]
    pub budget_ns: u64,
    /// Seed of every random choice.
    #[serde(default)]
    pub seed: u64,
    /// Simulate only one of each class of accelerators and links where the run has a symmetry; results are the same.
    #[serde(default = "yes")]
    pub fold: bool,
    /// Worker threads; 0 chooses by size of the run and number of cores.
    #[serde(default)]
    pub threads: u32,
    /// Detail tables wanted.
    #[serde(default)]
    pub record: Vec<Table>,
    /// Simulated time after which the run stops with an error.
    #[serde(default)]
    pub time_limit_fs: Option<Fs>,
    /// Jump over whole periods of a repeating state; exact.
    #[serde(default = "yes")]
    pub skip: bool,
    /// Bytes that the run and its tables may occupy.
    #[serde(default)]
    pub memory_limit: Option<u64>,
    /// Run flows even where they were measured to be off, to measure by how much.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub measuring: bool,
}

/// A machine: accelerators and the networks that join them, innermost first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SystemSpec {
    /// Name in tables.
    pub name: String,
    /// Number of accelerators.
    pub accelerators: u32,
    /// The accelerator.
    pub device: DeviceSpec,
    /// Networks, innermost (fastest, smallest span) first. Two accelerators talk over the first network that has both
    /// in one copy.
    pub networks: Vec<NetworkSpec>,
}

/// What moves and combines data inside an accelerator. `None` means not a limit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceSpec {
    /// Name in tables.
    #[serde(default)]
    pub name: String,
    /// Its generation, as communication libraries tell them apart; empty: not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub generation: String,
    /// HBM bandwidth, reads and writes together.
    #[serde(default)]
    pub hbm_rate: Option<BitRate>,
    /// Rate at which copy channels (SMs, DMA engines) together store arriving data.
    #[serde(default)]
    pub copy_rate: Option<BitRate>,
    /// Rate at which reduce channels together combine arriving data.
    #[serde(default)]
    pub reduce_rate: Option<BitRate>,
}

/// One network; `accelerators / span` disjoint copies of it exist.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkSpec {
    /// Name in tables, e.g. `scale_up`.
    pub name: String,
    /// Consecutive accelerators that one copy joins.
    pub span: u32,
    /// Shape of one plane.
    pub topology: TopologySpec,
    /// Links of each accelerator into each plane: `[1; 18]` is 18 planes of one link, `[5, 4, 4, 5]` four planes.
    /// Direct topologies (torus, full mesh) have exactly one plane and the number of parallel links between neighbours.
    pub planes: Vec<u32>,
    /// Links by tier (trees: accelerator-leaf first) or by dimension (torus, full mesh).
    pub links: Vec<LinkSpec>,
    /// Switches by tier (trees), or the router inside each accelerator (direct topologies: one entry).
    pub switches: Vec<SwitchSpec>,
    /// Payload bytes of a full packet.
    pub payload: u32,
    /// Header, trailer and gap bytes of every packet.
    pub overhead: u32,
    /// How packets choose among equal paths.
    #[serde(default)]
    pub routing: RoutingSpec,
    /// Buffer behind each link and virtual channel in bytes; `None` is an unlimited output queue (no flow control).
    #[serde(default)]
    pub buffer: Option<u64>,
    /// Tori only: false takes the second virtual channel away, so that rings can deadlock when buffers are small.
    #[serde(default = "yes")]
    pub dateline: bool,
    /// What its NICs add to messages.
    #[serde(default)]
    pub transport: TransportSpec,
}

/// What the NICs of a network add to messages, besides links and switches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransportSpec {
    /// From when a message is stored at its receiver until that knows it. It occupies nothing: others pass meanwhile.
    #[serde(default)]
    pub latency_fs: Fs,
    /// What the sender's thread takes per message ([`crate::walk::Proxy`]): its messages wait for each other.
    #[serde(default)]
    pub per_message_fs: Fs,
}

/// Shape of one plane of a network.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TopologySpec {
    /// Parallel-port generalised fat tree: one to three (or more) tiers of switches. `down[i]` children of a tier-i+1
    /// switch, `up[i]` parents of a tier-i vertex (up\[0\] = 1), `parallel[i]` links between such a pair (parallel\[0\]
    /// = 1). One tier is a single-stage switch.
    Clos {
        /// Children by tier.
        down: Vec<u32>,
        /// Parents by tier.
        up: Vec<u32>,
        /// Parallel links by tier.
        parallel: Vec<u32>,
        /// Rails: with R > 1, accelerator i of a host of R goes to the leaf of rail i.
        rails: u32,
    },
    /// n-dimensional torus or mesh, accelerator coordinates row-major with the first dimension fastest.
    Torus {
        /// Accelerators by dimension.
        dims: Vec<u32>,
        /// Wraparound by dimension; a dimension of one or two has none.
        wrap: Vec<bool>,
        /// Pairs of wrapped dimensions: the wraparound of the first shifts the second by half of its size.
        twist: Vec<[u32; 2]>,
    },
    /// n-dimensional full mesh (HyperX with one accelerator a router): all pairs that differ in one coordinate.
    FullMesh {
        /// Accelerators by dimension.
        dims: Vec<u32>,
    },
    /// Explicit vertices and edges: accelerators `0..span`, then switches. `planes` is `[1]`; `links` are classes of links.
    Graph {
        /// Switches of a copy.
        switches: u32,
        /// Two vertices, the class of the links between them, and how many there are in parallel.
        edges: Vec<[u32; 4]>,
        /// Index into the network's `switches` by switch; empty: all the first.
        switch_kinds: Vec<u16>,
        /// What a link weighs by class: packets take the lightest paths. Empty: all alike, so the shortest.
        weights: Vec<u8>,
        /// Accelerators pass on packets of others, with this entry of `switches` as the router in each; none: only
        /// switches forward.
        forwarding: Option<u16>,
    },
}

/// A directed link (both directions have the same parameters).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkSpec {
    /// Rate per direction.
    pub rate: BitRate,
    /// Propagation, PHY and FEC: the time from the first bit leaving to the first bit arriving.
    pub latency_fs: Fs,
    /// `copper`, `optics`, ...: for tables only.
    #[serde(default)]
    pub medium: String,
}

/// A switch (or router).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchSpec {
    /// Head-in to head-out without contention.
    pub latency_fs: Fs,
    /// True: a packet may leave before its tail has arrived.
    #[serde(default = "yes")]
    pub cut_through: bool,
    /// True: the switch can combine and replicate (NVLS, SHARP).
    #[serde(default)]
    pub in_network_reduce: bool,
}

/// Software costs of the communication library. All zero is the stack `none`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StackSpec {
    /// Name in tables.
    pub name: String,
    /// Protocols to choose from; at least one.
    pub protocols: Vec<ProtocolSpec>,
    /// Protocol name, or `auto`.
    #[serde(default = "auto")]
    pub protocol: String,
    /// The library's own algorithms by collective: `algorithm = "auto"` chooses among those that can run here. A collective
    /// that is not listed, or none of whose algorithms can run, has them all.
    #[serde(default)]
    pub algorithms: BTreeMap<Collective, Vec<Algorithm>>,
    /// How the library chooses among them, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub library: Option<Box<LibrarySpec>>,
}

/// One protocol (LL, LL128, Simple, ...) of a stack.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProtocolSpec {
    /// Name in tables.
    pub name: String,
    /// From the call to the first step, every rank.
    #[serde(default)]
    pub launch_fs: Fs,
    /// Before each step that sends over network i, `step_fs[i]`; one entry a network.
    #[serde(default)]
    pub step_fs: Vec<Fs>,
    /// After each message over network i has arrived, until its receiver knows it: `hop_fs[i]`; one entry a network, or none at all.
    /// Unlike a step, it occupies nobody.
    #[serde(default)]
    pub hop_fs: Vec<Fs>,
    /// Payload bytes occupy `wire_num / wire_den` times their size on the wire (LL: 2/1, LL128: 128/120).
    #[serde(default = "one")]
    pub wire_num: u32,
    /// See `wire_num`.
    #[serde(default = "one")]
    pub wire_den: u32,
    /// The same by network, `wires[i]` as numerator and denominator; empty: alike on all.
    #[serde(default)]
    pub wires: Vec<(u32, u32)>,
    /// Only for these algorithms; empty means all.
    #[serde(default)]
    pub algorithms: Vec<Algorithm>,
    /// Not above this size; `None` means any.
    #[serde(default)]
    pub max_bytes: Option<u64>,
    /// How its kernel cuts messages into loops; `None`: it does not, or what that costs is part of the other fields.
    #[serde(default)]
    pub pipeline: Option<PipelineSpec>,
    /// Bytes that a channel hands over at once; `None` is line by line in trees, and not known for rings.
    #[serde(default)]
    pub chunk: Option<u64>,
    /// Blocks of a ring's kernel that work at the same time.
    #[serde(default)]
    pub channels: Option<u32>,
}

/// Loops of a kernel whose stages overlap ([`crate::stack`] says what they cost).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PipelineSpec {
    /// Blocks of the kernel that work at the same time.
    pub channels: u32,
    /// Most ranks that own a part.
    pub heads: u32,
    /// Stages that a loop passes through, the one on the wire among them.
    pub stages: u32,
    /// Bytes per channel, head and loop.
    pub chunk: u64,
    /// Smaller chunks for shorter messages, in the order in which they are tried.
    pub shrink: Vec<Rung>,
    /// What each stage takes besides its bytes.
    pub stage_fs: Fs,
    /// How data expands, numerator and denominator, on channels that do not slow each other down.
    pub lone: [u32; 2],
    /// What a message to or from a NIC takes, two per channel and loop of trees between units.
    pub message_fs: Fs,
}

/// A smaller chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rung {
    /// If a channel has less than so many times heads x chunk bytes to move.
    pub below: u32,
    /// The chunk then.
    pub chunk: u64,
}

impl ProtocolSpec {
    /// Software time before each step that sends over a network.
    #[inline]
    pub fn step(&self, network: usize) -> Fs {
        self.step_fs.get(network).copied().unwrap_or(0)
    }

    /// From when a message over a network is stored until its receiver knows it: the library's part and the NIC's.
    #[inline]
    pub fn hop(&self, network: usize, spec: &NetworkSpec) -> Fs {
        self.hop_fs.get(network).copied().unwrap_or(0).saturating_add(spec.transport.latency_fs)
    }

    /// By how much payload expands on the links of a network, as numerator and denominator.
    #[inline]
    pub fn wire(&self, network: usize) -> (u32, u32) {
        self.wires.get(network).copied().unwrap_or((self.wire_num, self.wire_den))
    }

    /// Bytes on the wire of a network of a packet of so many payload bytes.
    #[inline]
    pub fn wire_bytes(&self, network: usize, payload: u32, overhead: u32) -> u32 {
        let (num, den) = self.wire(network);
        let body = if num == den {
            payload
        } else {
            (u64::from(payload) * u64::from(num)).div_ceil(u64::from(den.max(1))) as u32
        };
        body + overhead
    }
}

impl RunSpec {
    /// Parses and validates.
    ///
    /// # Errors
    /// [`Error::Spec`] names the field (unknown, missing, of a wrong type or out of range); [`Error::Overflow`] a
    /// quantity beyond its integer.
    pub fn from_json(text: &str) -> Result<Self> {
        let spec: RunSpec = serde_json::from_str(text).map_err(|e| {
            Error::spec("specification", format!("line {} column {}", e.line(), e.column()), e.to_string())
        })?;
        validate(&spec)?;
        Ok(spec)
    }
}

/// Most lanes of a schedule (10 bits of the tag of a packet), and most pipelined chunks of a lane.
pub const MAX_LANES: u32 = 1 << 10;
/// More worker threads than any machine that runs one process has use for.
pub const MAX_THREADS: u32 = 1024;

fn auto() -> String {
    "auto".into()
}
fn one() -> u32 {
    1
}
fn yes() -> bool {
    true
}
fn default_element() -> u32 {
    4
}
fn default_budget() -> u64 {
    DEFAULT_BUDGET_NS
}
