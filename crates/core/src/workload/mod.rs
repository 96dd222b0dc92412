//! What there is to do: a run is a program on many ranks, not one collective.
//!
//! **Model.** An [`Operation`] moves messages (a collective, or one side of a point-to-point transfer), computes, or waits. It belongs to a
//! *stream*: on each rank, the operations of a stream run one after the other, and one begins when the one before it and all that it
//! waits for have ended *on that rank*. Nothing else synchronises ranks. Loops are not unrolled: the `k`-th *instance* of an operation
//! is found by arithmetic. Ranks may differ in what they execute; those that execute alike share a *role*.
//!
//! **Steps.** Each instance has steps of its own, so a step and a lane name a message in the whole run. [`Workload`] is a
//! [`Schedule`](crate::collective::Schedule) of all ranks in these terms.
//!
//! **Invariants.** All members of an operation execute it equally often. An operation waits for earlier ones only, or for earlier
//! iterations, so there is no cycle. A workload of one operation takes as long as that operation alone, unless packets are routed by hash:
//! each operation draws by its own name.
//!
//! **Cost.** A few words per operation, whatever the number of ranks, communicators and iterations; two bytes per rank where roles
//! differ. **Limits.** [`MAX_STEPS`](crate::collective::MAX_STEPS) steps in all. Operations whose sums switches form use one network.

mod communicators;
mod compile;
mod exchange;
pub mod explicit;
mod lifted;
mod operation;
mod patterns;
mod peers;
mod rows;
mod steps;
mod work;

use crate::radix::Digit;
use crate::units::Fs;

pub use communicators::{Communicators, common};
pub use compile::{Draft, Node, Only, Waits};
pub use exchange::Exchange;
pub use lifted::Lifted;
pub use operation::{Kind, Operation, WHOLE_DEVICE};
pub use patterns::Traffic;
pub use peers::{Receives, Sends};
pub use steps::Instance;
pub use work::Work;

use operation::key_of;
use steps::Item;

/// One instruction of a stream's program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instruction {
    /// Execute an operation.
    Do(u32),
    /// What follows is executed so many times.
    Repeat(u32),
    /// Back to behind this instruction, unless all times are through.
    Until(u32),
}

/// What ranks that execute alike do: a program per stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) streams: Vec<Vec<Instruction>>,
    /// Whether it executes an operation at all.
    pub(crate) executes: Vec<bool>,
    /// When it may begin.
    pub(crate) start: Fs,
}

/// What all ranks do.
#[derive(Clone, Debug)]
pub struct Workload {
    ranks: u32,
    lanes: u32,
    streams: u32,
    operations: Vec<Operation>,
    items: Vec<Item>,
    roles: Vec<Role>,
    /// Role of each rank; empty if there is one.
    role_of: Vec<u16>,
    /// Digits of the rank by which roles differ.
    fixed: Vec<Digit>,
    jobs: Vec<String>,
    /// First rank of each job.
    firsts: Vec<u32>,
    /// Ranks of which every instance is kept, in ascending order.
    sampled: Vec<u32>,
}

impl Workload {
    /// All operations.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Names of the jobs.
    pub fn jobs(&self) -> &[String] {
        &self.jobs
    }

    /// First rank of a job.
    pub fn first_rank(&self, job: u32) -> u32 {
        self.firsts[job as usize]
    }

    /// Streams of a rank.
    #[inline]
    pub fn streams(&self) -> u32 {
        self.streams
    }

    pub(crate) fn role(&self, rank: u32) -> &Role {
        &self.roles[self.role_number(rank) as usize]
    }

    fn role_number(&self, rank: u32) -> u32 {
        self.role_of.get(rank as usize).map_or(0, |&role| role.into())
    }

    /// The first rank of each role, in ascending order. Shifts that fold a run keep roles, so these ranks are simulated
    /// whether it is folded or not.
    pub fn firsts(&self) -> Vec<u32> {
        let mut met = vec![false; self.roles.len()];
        let mut first = |rank: &u32| !std::mem::replace(&mut met[self.role_number(*rank) as usize], true);
        let ranks = if self.role_of.is_empty() { self.ranks.min(1) } else { self.ranks };
        (0..ranks).filter(|rank| first(rank)).collect()
    }

    /// Keeps a row per instance of the first rank of each role.
    pub fn sampled(self) -> Self {
        Self { sampled: self.firsts(), ..self }
    }

    /// Whether every instance of a rank is kept.
    pub(crate) fn samples(&self, rank: u32) -> bool {
        self.sampled.binary_search(&rank).is_ok()
    }

    /// When a rank is through at the earliest, if each operation takes at least so long and nothing waits.
    pub fn least(&self, rank: u32, of: impl Fn(u32) -> Fs) -> Fs {
        let role = self.role(rank);
        let stream = |program: &Vec<Instruction>| {
            let instances = |operation: u32| u64::from(self.operations[operation as usize].instances());
            let each = |instruction: &Instruction| match *instruction {
                Instruction::Do(operation) => of(operation).saturating_mul(instances(operation)),
                _ => 0,
            };
            program.iter().map(each).fold(0, Fs::saturating_add)
        };
        role.start.saturating_add(role.streams.iter().map(stream).max().unwrap_or(0))
    }

    /// Most lanes of any operation: as many slots a stream has.
    #[inline]
    pub fn lanes(&self) -> u32 {
        self.lanes
    }
}
