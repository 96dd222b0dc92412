//! The specification of a run of many operations, as it crosses the boundary.
//!
//! **Model.** A run has jobs. A job has ranks with named axes, outermost first, and a body: operations, loops and parts for some ranks
//! only. Operations have names, streams and what they wait for.
//!
//! **Invariant.** [`ProgramSpec::from_json`] returns a specification whose numbers are in range; whether names are known and
//! operations fit their ranks is found out when it is compiled.

use serde::{Deserialize, Serialize};

use super::validate::{ranges, within};
use super::{
    Algorithm, Collective, Fidelity, MAX_LANES, Pick, Selection, StackSpec, SystemSpec, Table, default_budget,
    default_element, yes,
};
use crate::error::{Error, Result};
use crate::units::Fs;

/// Parts of a million.
const MILLION: u64 = 1_000_000;
/// Longest computation or delay: an hour.
const HOUR: Fs = 3_600_000_000_000_000_000;

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
    /// Occupies the device.
    Compute {
        /// Name, stream, what it waits for.
        place: PlaceSpec,
        /// For how long, if it has it to itself.
        work_fs: Fs,
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

    fn validate(&self) -> Result<()> {
        ranges(&self.system, &self.stack, self.threads, self.time_limit_fs, self.memory_limit)?;
        if self.jobs.is_empty() {
            return Err(Error::spec("jobs", "[]", "at least one job"));
        }
        let mut ranks = 0u64;
        for (i, job) in self.jobs.iter().enumerate() {
            let at = |field: &str| format!("job {:?}: {field}", job.name);
            if self.jobs[..i].iter().any(|other| other.name == job.name) {
                return Err(Error::spec("job", format!("{:?}", job.name), "a name of its own"));
            }
            within(&at("start_fs"), job.start_fs, 0, HOUR)?;
            let mut size = 1u64;
            for (axis, spec) in job.axes.iter().enumerate() {
                within(&at(&format!("axis {}", spec.name)), spec.size.into(), 1, 1 << 31)?;
                if job.axes[..axis].iter().any(|other| other.name == spec.name) {
                    return Err(Error::spec(at("axis"), format!("{:?}", spec.name), "a name of its own"));
                }
                size = size.saturating_mul(spec.size.into());
            }
            if job.axes.is_empty() {
                return Err(Error::spec(at("axes"), "[]", "at least one axis"));
            }
            if let Some(placement) = &job.placement
                && placement.len() as u64 != size
            {
                return Err(Error::spec(
                    at("placement"),
                    placement.len(),
                    format!("one accelerator for each of {size} ranks"),
                ));
            }
            ranks = ranks.saturating_add(size);
            job.body.iter().try_for_each(node)?;
        }
        let most = self.system.accelerators;
        if ranks > most.into() {
            return Err(Error::spec("jobs", format!("{ranks} ranks"), format!("at most {most}, one per accelerator")));
        }
        Ok(())
    }
}

fn node(node: &NodeSpec) -> Result<()> {
    let named = |place: &PlaceSpec, field: &str| format!("operation {:?}: {field}", place.name);
    let size = |place: &PlaceSpec, bytes: u64, share: u32| {
        within(&named(place, "bytes"), bytes, 1, 1 << 50)?;
        within(&named(place, "share_ppm"), share.into(), 0, MILLION - 1)
    };
    match node {
        NodeSpec::Collective {
            place, collective, bytes, algorithm, element_bytes, lanes, chunks, share_ppm, ..
        } => {
            let least = u64::from(*collective == Collective::Barrier);
            size(place, (*bytes).max(least), *share_ppm)?;
            within(&named(place, "element_bytes"), u64::from(*element_bytes), 1, 16)?;
            for (field, value) in [("lanes", lanes), ("chunks", chunks)] {
                if let Some(value) = value {
                    within(&named(place, field), u64::from(*value), 1, MAX_LANES.into())?;
                }
            }
            if *algorithm == Pick::Only(Algorithm::Hierarchical) {
                let expected = "another algorithm: communicators of a workload have no levels of their own yet";
                return Err(Error::spec(named(place, "algorithm"), Algorithm::Hierarchical.name(), expected));
            }
            Ok(())
        }
        NodeSpec::Send { place, bytes, share_ppm, .. } | NodeSpec::Receive { place, bytes, share_ppm, .. } => {
            size(place, *bytes, *share_ppm)
        }
        NodeSpec::Compute { place, work_fs } => within(&named(place, "work_fs"), *work_fs, 0, HOUR),
        NodeSpec::Delay { place, time_fs } => within(&named(place, "time_fs"), *time_fs, 0, HOUR),
        NodeSpec::Repeat { count, body } => {
            within("repeat", u64::from(*count), 1, 1 << 31)?;
            body.iter().try_for_each(self::node)
        }
        NodeSpec::On { axis, values, body } => {
            if values.is_empty() {
                return Err(Error::spec(format!("on {axis}"), "no coordinate", "at least one"));
            }
            body.iter().try_for_each(self::node)
        }
    }
}
