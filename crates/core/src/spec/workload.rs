//! The specification of a run of many operations, as it crosses the boundary.
//!
//! **Model.** A run has jobs. A job has ranks with named axes, outermost first, and a body: operations, loops and parts for some ranks
//! only. Operations have names, streams and what they wait for.
//!
//! **Invariant.** [`ProgramSpec::from_json`] returns a specification whose numbers are in range; whether names are known and
//! operations fit their ranks is found out when it is compiled.

mod checks;

use serde::{Deserialize, Serialize};

use super::{
    Collective, Fidelity, Pattern, Pick, Selection, StackSpec, SystemSpec, Table, default_budget, default_element, yes,
};
use crate::error::{Error, Result};
use crate::units::Fs;

/// Everything that a run of many operations needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramSpec {
    /// The machine.
    pub system: SystemSpec,
    /// Software costs.
    pub stack: StackSpec,
    /// What runs on it.
    pub jobs: Vec<JobSpec>,
    /// How closely the run is looked at.
    #[serde(default)]
    pub fidelity: Selection<Fidelity>,
    /// See [`super::RunSpec::budget_ns`].
    #[serde(default = "default_budget")]
    pub budget_ns: u64,
    /// Seed of every random choice.
    #[serde(default)]
    pub seed: u64,
    /// Simulate only one of each class of ranks where the run has a symmetry.
    #[serde(default = "yes")]
    pub fold: bool,
    /// Jump over whole periods of a repeating state.
    #[serde(default = "yes")]
    pub skip: bool,
    /// Worker threads; 0 chooses.
    #[serde(default)]
    pub threads: u32,
    /// Detail tables wanted.
    #[serde(default)]
    pub record: Vec<Table>,
    /// Simulated time after which the run stops with an error.
    #[serde(default)]
    pub time_limit_fs: Option<Fs>,
    /// Bytes that the run and its tables may occupy.
    #[serde(default)]
    pub memory_limit: Option<u64>,
}

/// Ranks that execute one program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobSpec {
    /// Name in tables.
    pub name: String,
    /// Axes of the rank, outermost first.
    pub axes: Vec<AxisSpec>,
    /// When it starts.
    #[serde(default)]
    pub start_fs: Fs,
    /// Accelerator of each rank; by default those after the job before, in order.
    #[serde(default)]
    pub placement: Option<Vec<u32>>,
    /// What its ranks do.
    pub body: Vec<NodeSpec>,
}

/// An axis of the rank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AxisSpec {
    /// Name, e.g. `tp`.
    pub name: String,
    /// Number of coordinates.
    pub size: u32,
}

/// What an operation waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AfterSpec {
    /// Name of another operation of the job.
    pub operation: String,
    /// How many iterations ago.
    #[serde(default)]
    pub previous: u32,
}

/// Where an operation stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaceSpec {
    /// Name, unique in the job.
    pub name: String,
    /// Name of the stream.
    pub stream: String,
    /// What it waits for besides the operation before it on its stream.
    #[serde(default)]
    pub after: Vec<AfterSpec>,
}

/// Who sends to whom in a traffic pattern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatternSpec {
    /// Its name.
    pub name: Pattern,
    /// The place that [`Pattern::Incast`] goes to.
    #[serde(default)]
    pub target: u32,
    /// The places that [`Pattern::AllToSome`] goes to.
    #[serde(default)]
    pub targets: Vec<u32>,
    /// The place that each place sends to, of [`Pattern::Permutation`].
    #[serde(default)]
    pub to: Vec<u32>,
}

impl From<Pattern> for PatternSpec {
    fn from(name: Pattern) -> Self {
        Self { name, target: 0, targets: vec![], to: vec![] }
    }
}

/// A part of a job's program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum NodeSpec {
    /// A collective of each communicator.
    Collective {
        /// Name, stream, what it waits for.
        place: PlaceSpec,
        /// What the ranks want to achieve together.
        collective: Collective,
        /// Size as in nccl-tests' size column.
        bytes: u64,
        /// Axes of the communicators, or all if there are none.
        #[serde(default)]
        axes: Vec<String>,
        /// Communicators rank by rank, instead of axes.
        #[serde(default)]
        groups: Vec<Vec<u32>>,
        /// How they do it.
        #[serde(default)]
        algorithm: Pick,
        /// Name of a protocol of the stack, or `auto`.
        #[serde(default = "super::auto")]
        protocol: String,
        /// Bytes of one element.
        #[serde(default = "default_element")]
        element_bytes: u32,
        /// Root, as a place in the communicator.
        #[serde(default)]
        root: u32,
        /// Lanes; by default the algorithm's own choice.
        #[serde(default)]
        lanes: Option<u32>,
        /// Chunks; by default the algorithm's own choice.
        #[serde(default)]
        chunks: Option<u32>,
        /// Millionths of the device that it takes from computation beside it.
        #[serde(default)]
        share_ppm: u32,
    },
    /// Bytes for the rank `by` further along an axis.
    Send {
        /// Name, stream, what it waits for.
        place: PlaceSpec,
        /// The axis.
        axis: String,
        /// How far.
        by: i64,
        /// From the last rank on to the first.
        #[serde(default)]
        wrap: bool,
        /// How much.
        bytes: u64,
        /// Name of the receive that it belongs to.
        to: String,
        /// See [`NodeSpec::Collective`].
        #[serde(default)]
        share_ppm: u32,
    },
    /// Bytes from the rank `by` further along an axis.
    Receive {
        /// Name, stream, what it waits for.
        place: PlaceSpec,
        /// The axis.
        axis: String,
        /// How far.
        by: i64,
        /// See [`NodeSpec::Send`].
        #[serde(default)]
        wrap: bool,
        /// How much.
        bytes: u64,
        /// See [`NodeSpec::Collective`].
        #[serde(default)]
        share_ppm: u32,
    },
    /// Bytes from some ranks of the job to others.
    Transfer {
        /// Name, stream, what it waits for.
        place: PlaceSpec,
        /// Source and destination of each message.
        pairs: Vec<(u32, u32)>,
        /// How much each.
        bytes: u64,
        /// See [`NodeSpec::Collective`].
        #[serde(default)]
        share_ppm: u32,
    },
    /// Messages by a traffic pattern, within each communicator.
    Pattern {
        /// Name, stream, what it waits for.
        place: PlaceSpec,
        /// Who sends to whom.
        pattern: PatternSpec,
        /// Bytes of a message.
        bytes: u64,
        /// Messages to each destination, one after the other.
        messages: u32,
        /// Seed of what is drawn.
        #[serde(default)]
        seed: u64,
        /// See [`NodeSpec::Collective`].
        #[serde(default)]
        axes: Vec<String>,
        /// See [`NodeSpec::Collective`].
        #[serde(default)]
        groups: Vec<Vec<u32>>,
        /// See [`NodeSpec::Collective`].
        #[serde(default)]
        share_ppm: u32,
    },
    /// An all-to-all whose messages differ in size, within each communicator.
    Exchange {
        /// Name, stream, what it waits for.
        place: PlaceSpec,
        /// Bytes that each place sends to each; a row per source.
        matrix: Vec<Vec<u64>>,
        /// See [`NodeSpec::Collective`].
        #[serde(default)]
        axes: Vec<String>,
        /// See [`NodeSpec::Collective`].
        #[serde(default)]
        groups: Vec<Vec<u32>>,
        /// See [`NodeSpec::Collective`].
        #[serde(default)]
        share_ppm: u32,
    },
    /// Occupies the device.
    Compute {
        /// Name, stream, what it waits for.
        place: PlaceSpec,
        /// For how long, if it has it to itself.
        work_fs: Fs,
        /// Millionths of it to either side by which it varies.
        #[serde(default)]
        jitter_ppm: u32,
        /// Millionths of it that it takes on some ranks of the job: rank and factor.
        #[serde(default)]
        slow_ppm: Vec<(u32, u64)>,
        /// Seed of what is drawn.
        #[serde(default)]
        seed: u64,
    },
    /// Waits.
    Delay {
        /// Name, stream, what it waits for.
        place: PlaceSpec,
        /// How long.
        time_fs: Fs,
    },
    /// A loop.
    Repeat {
        /// How many times.
        count: u32,
        /// Of what.
        body: Vec<NodeSpec>,
    },
    /// For ranks with these coordinates only.
    On {
        /// The axis.
        axis: String,
        /// Coordinates along it.
        values: Vec<u32>,
        /// What they do.
        body: Vec<NodeSpec>,
    },
}

impl ProgramSpec {
    /// Parses and checks ranges.
    ///
    /// # Errors
    /// [`Error::Spec`] names the field or operation; [`Error::Overflow`] a quantity beyond its integer.
    pub fn from_json(text: &str) -> Result<Self> {
        let spec: Self = serde_json::from_str(text).map_err(|e| {
            Error::spec("specification", format!("line {} column {}", e.line(), e.column()), e.to_string())
        })?;
        spec.validate()?;
        Ok(spec)
    }
}
