//! What a run leaves behind: plain rows, one type a table, before anything becomes Arrow.
//!
//! A flow run fills the same rows; what fluids do not have is zero: queues, stalls and waits of links.
//!
//! **Invariant.** Rows are in the order of their ids (rank, vertex and port, source), independent of threads.

mod levels;

pub use levels::LevelRecord;
pub(crate) use levels::Levels;

use crate::units::Fs;

/// Everything recorded by one packet-level or flow-level run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// When the last rank finished.
    pub finish_fs: Fs,
    /// Time windows simulated (empty ones are jumped over); of flows, instants at which something happened. Like threads and bytes a fact about the run, not a result:
    /// credits between shards can open a window of their own.
    pub windows: u64,
    /// Packets sent over links, counted once a link.
    pub packet_hops: u64,
    /// Worker threads used.
    pub threads: u32,
    /// Bytes of simulation state at its largest.
    pub state_bytes: u64,
    /// How many ranks, links or messages each row stands for: one, unless the run was folded. Totals count all of them.
    pub multiplicity: u64,
    /// Payload bytes that ranks sent.
    pub sent_bytes: u64,
    /// Payload bytes that ranks received.
    pub received_bytes: u64,
    /// What was jumped over instead of being simulated. A fact about the run, too.
    pub skipping: Skipping,
    /// One row a rank.
    pub ranks: Vec<RankRecord>,
    /// One row per operation of a workload and role of ranks.
    pub operations: Vec<OperationRecord>,
    /// One row per operation, role of ranks and iteration, of the first rank of each role, if iterations are recorded.
    pub iterations: Vec<IterationRecord>,
    /// When each action of an explicit schedule began and ended, in their order.
    pub spans: Vec<[Fs; 2]>,
    /// One row a network, tier or dimension, and direction in use: links summed up, all that each stands for.
    pub levels: Vec<LevelRecord>,
    /// One row a connected output port, if links are recorded.
    pub links: Vec<LinkRecord>,
    /// One row a message, if flows are recorded.
    pub flows: Vec<FlowRecord>,
}

/// Exact cycle skipping: what a run jumped over because its state repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipping {
    /// Jumps.
    pub jumps: u64,
    /// Periods jumped over.
    pub periods: u64,
    /// Simulated time jumped over.
    pub time_fs: Fs,
    /// Packets sent over links in that time, counted once a link.
    pub packet_hops: u64,
    /// Why there was no jump.
    pub reason: Option<&'static str>,
}

/// What one rank did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RankRecord {
    /// Rank.
    pub rank: u32,
    /// Accelerator it runs on.
    pub accelerator: u32,
    /// When its last step completed.
    pub finish_fs: Fs,
    /// Payload bytes sent.
    pub sent_bytes: u64,
    /// Payload bytes received.
    pub received_bytes: u64,
    /// Messages sent.
    pub sent_messages: u64,
    /// Messages received.
    pub received_messages: u64,
    /// Time its memory (HBM) was busy with the collective's traffic.
    pub memory_busy_fs: Fs,
    /// Time its copy channels were busy storing arriving data.
    pub copy_busy_fs: Fs,
    /// Time its reduce channels were busy combining arriving data.
    pub reduce_busy_fs: Fs,
}

/// What ranks that execute alike did with one operation of a workload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OperationRecord {
    /// The operation.
    pub operation: u32,
    /// What the ranks execute.
    pub role: u32,
    /// How many ranks.
    pub ranks: u64,
    /// Instances of all of them.
    pub instances: u64,
    /// When the first began.
    pub start_fs: Fs,
    /// When the last ended.
    pub end_fs: Fs,
    /// From beginning to end, of all instances together.
    pub time_fs: u128,
    /// Part of it in which the rank did not compute.
    pub exposed_fs: u128,
}

impl OperationRecord {
    /// An instance of one rank.
    pub fn add(&mut self, start: Fs, end: Fs, exposed: Fs) {
        self.merge(&Self {
            instances: 1,
            start_fs: start,
            end_fs: end,
            time_fs: u128::from(end - start),
            exposed_fs: exposed.into(),
            ..Self::default()
        });
    }

    /// What there was elsewhere.
    pub fn merge(&mut self, other: &Self) {
        if other.instances == 0 {
            return;
        }
        self.start_fs = if self.instances == 0 { other.start_fs } else { self.start_fs.min(other.start_fs) };
        self.end_fs = self.end_fs.max(other.end_fs);
        self.instances += other.instances;
        self.time_fs += other.time_fs;
        self.exposed_fs += other.exposed_fs;
    }
}

/// One instance of an operation on one rank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct IterationRecord {
    /// The operation.
    pub operation: u32,
    /// What the rank executes.
    pub role: u32,
    /// The rank: the first of its role.
    pub rank: u32,
    /// Number of the instance, from 0.
    pub iteration: u32,
    /// When it began.
    pub start_fs: Fs,
    /// When it ended.
    pub end_fs: Fs,
    /// Part of this time in which the rank did not compute.
    pub exposed_fs: Fs,
}

/// What one directed link did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkRecord {
    /// Sending vertex.
    pub vertex: u32,
    /// Its port.
    pub port: u32,
    /// Receiving vertex.
    pub peer: u32,
    /// Network index.
    pub network: u32,
    /// Tier (trees) or dimension (direct topologies).
    pub tier: u32,
    /// True if the link leads from an accelerator or up a tree.
    pub up: bool,
    /// Payload bytes carried.
    pub payload_bytes: u64,
    /// Bytes on the wire, headers and protocol expansion included.
    pub wire_bytes: u64,
    /// Packets carried.
    pub packets: u64,
    /// Time spent sending.
    pub busy_fs: Fs,
    /// Time that a ready packet waited for credits while the link was idle.
    pub stall_fs: Fs,
    /// Sum over packets of the time from ready, the link aside, to sent: behind others, or without credits.
    pub wait_fs: u64,
    /// Most packets queued at once.
    pub queue_max: u32,
}

/// One message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlowRecord {
    /// Sending rank.
    pub src: u32,
    /// Receiving rank.
    pub dst: u32,
    /// Lane of the schedule.
    pub lane: u32,
    /// Receiving step of the schedule.
    pub step: u32,
    /// Payload bytes.
    pub bytes: u64,
    /// When the step that sends it began.
    pub start_fs: Fs,
    /// When its last byte arrived.
    pub end_fs: Fs,
}
