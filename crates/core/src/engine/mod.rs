//! The packet engine: time windows over flat arrays (conservative synchronous parallel simulation).
//!
//! A *logical process* (LP) is a vertex with its output ports. The *window* is the smallest latency of any link: what an
//! LP does within one window reaches another LP only in a later one, so all LPs of a window are independent, in any
//! order and on any number of threads. See `docs/architecture.md` for the layout and the proof of determinism.

mod accelerator;
mod barrier;
mod credits;
mod cut;
mod deal;
mod dealing;
mod departure;
mod diagnose;
mod endpoint;
mod gain;
mod in_network;
mod injection;
#[cfg(all(test, loom))]
mod interleavings;
mod layout;
mod mail;
mod packet;
mod paths;
mod port;
mod prefetch;
mod rings;
mod router;
mod run;
mod scratch;
mod shard;
mod skip;
mod sums;
mod switch;
mod sync;
mod tables;
mod team;
mod wake;

use crate::collective::Schedule;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::fabric::Fabric;
use crate::record::Record;
use crate::spec::ProtocolSpec;
use crate::symmetry::Folding;
use crate::units::Fs;
use crate::workload::Workload;
use crate::workload::explicit::Explicit;
pub(crate) use injection::open_messages;
use paths::Paths;

/// A validated job.
pub struct Job<'a> {
    /// The machine.
    pub fabric: &'a Fabric,
    /// Who sends what to whom.
    pub schedule: &'a dyn Schedule,
    /// Accelerator of each rank.
    pub placement: &'a [u32],
    /// Symmetries of the three, and whether only one of each class is to be simulated.
    pub folding: &'a Folding,
    /// Software costs; of a workload those of its first operation, while each has its own.
    pub protocol: &'a ProtocolSpec,
    /// The program that `schedule` belongs to, if this is more than one collective.
    pub workload: Option<&'a Workload>,
    /// The program that `schedule` is, if it is given action by action.
    pub explicit: Option<&'a Explicit>,
    /// Seed of every random choice.
    pub seed: u64,
    /// Worker threads; 0 chooses.
    pub threads: u32,
    /// Keep one row a message.
    pub record_flows: bool,
    /// Keep one row a link; sums by level are always kept.
    pub record_links: bool,
    /// Simulated time after which the run stops with [`crate::error::Error::Timeout`].
    pub time_limit_fs: Option<Fs>,
    /// Jump over whole periods of a repeating state, exactly (see [`crate::record::Skipping`]).
    pub skip: bool,
}

impl Job<'_> {
    /// The fabric that is simulated: the machine, or its quotient.
    pub(crate) fn simulated(&self) -> &Fabric {
        self.folding.quotient().unwrap_or(self.fabric)
    }

    /// Streams of a rank.
    #[inline(always)]
    pub(crate) fn streams(&self) -> u32 {
        self.workload.map_or(1, Workload::streams)
    }

    /// The stream that a step belongs to.
    #[inline(always)]
    pub(crate) fn stream_of(&self, step: u32) -> u32 {
        self.workload.map_or(0, |workload| workload.stream_of(step))
    }

    /// A lane and step in words, with the operation that they belong to.
    pub(crate) fn place(&self, lane: u32, step: u32) -> String {
        match self.workload {
            None => format!("lane {lane}, step {step}"),
            Some(workload) => {
                let at = workload.at(step);
                let name = &workload.operations()[at.operation as usize].name;
                format!("operation {name:?}, iteration {}, lane {lane}, step {}", at.number, at.step)
            }
        }
    }

    /// The operation that a step belongs to.
    #[inline(always)]
    pub(crate) fn operation(&self, step: u32) -> u32 {
        self.workload.map_or(0, |workload| workload.at(step).operation)
    }

    /// Software costs of an operation.
    #[inline(always)]
    pub(crate) fn protocol(&self, operation: u32) -> &'_ ProtocolSpec {
        self.workload.map_or(self.protocol, |workload| &workload.operations()[operation as usize].protocol)
    }

    /// Software costs of all operations.
    pub(crate) fn protocols(&self) -> impl Iterator<Item = &'_ ProtocolSpec> {
        let operations = self.workload.map_or(&[][..], |workload| workload.operations());
        std::iter::once(self.protocol).chain(operations.iter().map(|operation| &operation.protocol))
    }

    /// What random choices about the messages of a step go by, see [`Workload::label`].
    #[inline]
    pub(crate) fn label(&self, step: u32) -> (u64, u32) {
        self.workload.map_or((self.seed, step), |workload| workload.label(self.seed, step))
    }
}

/// Packets over links after which a run is given up: what somebody is ready to pay for it.
///
/// Whether a run passes the cap does not depend on threads, nor on where windows end: it does if, and only if, all of it together
/// does. What [`Cap::Simulated`] counts depends on when skipping looks at the state, so such a run has one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cap {
    /// None: the run goes on to its end.
    Endless,
    /// So many packets over links, those that are skipped among them.
    Hops(u64),
    /// So many packets over links and visits to vertices that are simulated, on one thread; what is skipped costs nothing.
    Simulated {
        /// So many.
        most: u64,
        /// Packets over links that the whole run is expected to have. From a quarter of `most` on the run is given up as soon
        /// as the part of the whole that is behind it, simulated or skipped, is less than the part of `most` that was paid.
        whole: u64,
    },
}

/// Runs a job to its end.
///
/// # Errors
/// [`crate::error::Error::Deadlock`], [`crate::error::Error::Unfinished`], [`crate::error::Error::Unroutable`], [`crate::error::Error::Timeout`], [`crate::error::Error::Interrupted`],
/// [`crate::error::Error::Overflow`] of the simulated clock, [`crate::error::Error::Spec`] for an in-network schedule on a fabric without it.
pub fn run(job: &Job, control: &Control) -> Result<Record> {
    run_within(job, control, Cap::Endless)?.ok_or_else(|| Error::Internal("a run without a cap was capped".into()))
}

/// Runs a job to its end, or gives it up at a cap: then the result is `None`.
///
/// # Errors
/// Those of [`run()`].
pub fn run_within(job: &Job, control: &Control, cap: Cap) -> Result<Option<Record>> {
    run::run(job, control, cap)
}
