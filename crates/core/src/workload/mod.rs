//! What there is to do: a run is a program on many ranks, not one collective.
//!
//! **Model.** An [`Operation`] moves messages (a collective, or one side of a point-to-point transfer), computes, or waits. It belongs to a
//! *stream*: on each rank, the operations of a stream run one after the other, and one begins when the one before it and all that it
//! waits for have ended *on that rank*. Nothing else synchronises ranks. Loops are not unrolled: the `k`-th *instance* of an operation
//! is found by arithmetic. Ranks may differ in what they execute; those that execute alike share a *role*.
//!
//! **Steps.** Each instance has steps of its own, so a step and a lane name a message in the whole run. [`Workload`] is a
//! [`Schedule`] of all ranks in these terms.
//!
//! **Invariants.** All members of an operation execute it equally often. An operation waits for earlier ones only, or for earlier
//! iterations, so there is no cycle. A workload of one operation takes as long as that operation alone, unless packets are routed by hash:
//! each operation draws by its own name.
//!
//! **Cost.** A few words per operation, whatever the number of ranks, communicators and iterations; two bytes per rank where roles
//! differ. **Limits.** [`MAX_STEPS`](crate::collective::MAX_STEPS) steps in all. Operations whose sums switches form use one network.

mod communicators;
mod compile;
pub mod explicit;
mod lifted;
mod peers;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::collective::{Block, Message, Recv, Schedule, SwitchUse};
use crate::radix::Digit;
use crate::record::{IterationRecord, OperationRecord};
use crate::rng::mix;
use crate::spec::ProtocolSpec;
use crate::units::Fs;

pub use communicators::{Communicators, common};
pub use compile::{Draft, Node, Only, Waits};
pub use lifted::Lifted;
pub use peers::{Receives, Sends};

/// The whole of a device, in parts that operations take of it.
pub const WHOLE_DEVICE: u32 = 1 << 16;

/// What an operation does.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Moves messages. Those of a send arrive at another operation.
    Messages {
        /// Who sends what to whom, for all ranks.
        schedule: Arc<dyn Schedule>,
        /// The operation that receives, if that is another one.
        receiver: Option<u32>,
    },
    /// Occupies the device for so long, if it has it to itself.
    Compute(Fs),
    /// Waits so long.
    Delay(Fs),
}

/// A dependency: which instance of another operation has to have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct After {
    operation: u32,
    /// Instances of this operation, and of the other, in an iteration of the innermost loop that holds both.
    mine: u32,
    theirs: u32,
    /// Iterations before this one.
    previous: u32,
}

impl After {
    /// The other operation.
    pub(crate) fn operation(&self) -> u32 {
        self.operation
    }

    /// Instances of the other operation that have to have ended before the `k`-th of this one begins.
    pub(crate) fn needed(&self, k: u32) -> u32 {
        (k / self.mine + 1).saturating_sub(self.previous) * self.theirs
    }
}

/// A loop around an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Nest {
    /// Which one.
    id: u32,
    count: u32,
    /// Steps of an iteration.
    span: u32,
}

/// An operation.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its name, unique in its job.
    pub name: String,
    /// The job that it belongs to.
    pub job: u32,
    /// The stream.
    pub stream: u32,
    /// What it does.
    pub kind: Kind,
    /// Software costs of its messages.
    pub protocol: ProtocolSpec,
    /// Part of the device that it takes from computation that runs beside it, of [`WHOLE_DEVICE`].
    pub share: u32,
    /// The communicators whose sums switches form; `None` if all ranks of the run are one.
    pub circles: Option<Communicators>,
    /// The communicators, if not all ranks of the job are in one.
    pub listed: Option<Communicators>,
    pub(crate) after: Vec<After>,
    /// First step of its first instance, steps of an instance, and the loops around it, outermost first.
    base: u32,
    span: u32,
    nests: Vec<Nest>,
    /// Of its name: random choices of different operations are independent.
    key: u64,
}

impl Operation {
    /// Instances per rank.
    pub fn instances(&self) -> u32 {
        self.nests.iter().map(|nest| nest.count).product()
    }

    /// First step of the `k`-th instance.
    fn first_step(&self, mut k: u32) -> u32 {
        self.nests.iter().rev().fold(self.base, |step, nest| {
            let iteration = k % nest.count;
            k /= nest.count;
            step + iteration * nest.span
        })
    }

    /// Its schedule, if it moves messages.
    pub fn schedule(&self) -> Option<&dyn Schedule> {
        match &self.kind {
            Kind::Messages { schedule, .. } => Some(&**schedule),
            Kind::Compute(_) | Kind::Delay(_) => None,
        }
    }
}

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

/// Where the steps of instances lie.
#[derive(Clone, Debug)]
struct Item {
    first: u32,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Operation(u32),
    Loop { count: u32, span: u32, items: Vec<Item> },
}

/// An instance of an operation, and a step of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The operation.
    pub operation: u32,
    /// Its number.
    pub number: u32,
    /// A step, from the first of the instance.
    pub step: u32,
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

    /// First step of an instance of an operation.
    pub(crate) fn first_step(&self, operation: u32, number: u32) -> u32 {
        self.operations[operation as usize].first_step(number)
    }

    /// The instance that a step belongs to.
    #[inline]
    pub fn at(&self, step: u32) -> Instance {
        let (mut items, mut at, mut number) = (&self.items, step, 0);
        loop {
            let item = &items[items.partition_point(|item| item.first <= at) - 1];
            at -= item.first;
            match &item.what {
                What::Operation(operation) => return Instance { operation: *operation, number, step: at },
                What::Loop { count, span, items: inner } => {
                    number = number * count + at / span;
                    (items, at) = (inner, at % span);
                }
            }
        }
    }

    /// The communicators whose sums switches form in a step; `None` if all ranks of the run are one.
    pub fn circles(&self, step: u32) -> Option<&Communicators> {
        self.operations[self.at(step).operation as usize].circles.as_ref()
    }

    /// The stream of a step.
    #[inline]
    pub fn stream_of(&self, step: u32) -> u32 {
        if self.streams == 1 { 0 } else { self.operations[self.at(step).operation as usize].stream }
    }

    /// What random choices about a message go by: the seed, and the number of its step that they know it by. Nothing that
    /// happens to an operation depends on what else there is in a run.
    pub fn label(&self, seed: u64, step: u32) -> (u64, u32) {
        let at = self.at(step);
        let key = self.operations[at.operation as usize].key;
        (mix(seed ^ mix(key ^ u64::from(at.number))), at.step)
    }

    /// Most lanes of any operation: as many slots a stream has.
    #[inline]
    pub fn lanes(&self) -> u32 {
        self.lanes
    }

    /// A row per operation and role, from the records of ranks by operation; each rank stands for so many.
    pub(crate) fn records(
        &self,
        ranks: impl Iterator<Item = (u32, Vec<OperationRecord>)>,
        each: u64,
    ) -> Vec<OperationRecord> {
        let mut rows: BTreeMap<(u32, u32), OperationRecord> = BTreeMap::new();
        for (rank, records) in ranks {
            let role = self.role_number(rank);
            for (operation, record) in (0u32..).zip(records).filter(|(_, record)| record.instances > 0) {
                let row = rows.entry((operation, role)).or_insert(OperationRecord { operation, role, ..record });
                if row.ranks > 0 {
                    row.merge(&record);
                }
                row.ranks += 1;
            }
        }
        let scaled = |row: OperationRecord| OperationRecord {
            ranks: row.ranks * each,
            instances: row.instances * each,
            time_fs: row.time_fs * u128::from(each),
            exposed_fs: row.exposed_fs * u128::from(each),
            ..row
        };
        rows.into_values().map(scaled).collect()
    }

    /// Rows of instances by operation, role and iteration, from those of ranks.
    pub(crate) fn iterations<'r>(
        &self,
        ranks: impl Iterator<Item = (u32, &'r [IterationRecord])>,
    ) -> Vec<IterationRecord> {
        let named = |(rank, rows): (u32, &'r [IterationRecord])| {
            let role = self.role_number(rank);
            rows.iter().map(move |&row| IterationRecord { role, rank, ..row })
        };
        let mut rows: Vec<IterationRecord> = ranks.flat_map(named).collect();
        rows.sort_unstable();
        rows
    }

    fn of(&self, step: u32) -> (&dyn Schedule, Instance) {
        let at = self.at(step);
        match &self.operations[at.operation as usize].kind {
            Kind::Messages { schedule, .. } => (&**schedule, at),
            // only operations with messages have steps
            Kind::Compute(_) | Kind::Delay(_) => (self, at),
        }
    }
}

/// A hash of a name, always alike.
fn key_of(job: &str, name: &str) -> u64 {
    let bytes = job.bytes().chain([0]).chain(name.bytes());
    bytes.fold(0, |key, byte| mix(key ^ u64::from(byte)))
}

impl Schedule for Workload {
    fn ranks(&self) -> u32 {
        self.ranks
    }

    fn lanes(&self) -> u32 {
        self.lanes
    }

    fn steps(&self, rank: u32, lane: u32) -> u32 {
        let last = |operation: &Operation| {
            let schedule = operation.schedule().filter(|schedule| lane < schedule.lanes())?;
            let steps = schedule.steps(rank, lane);
            (steps > 0).then(|| operation.first_step(operation.instances() - 1) + steps)
        };
        self.operations.iter().filter_map(last).max().unwrap_or(0)
    }

    fn sends(&self, rank: u32, lane: u32, step: u32) -> u32 {
        let (schedule, at) = self.of(step);
        let there = lane < schedule.lanes() && at.step < schedule.steps(rank, lane);
        if there && self.role(rank).executes[at.operation as usize] { schedule.sends(rank, lane, at.step) } else { 0 }
    }

    fn send(&self, rank: u32, lane: u32, step: u32, i: u32) -> Message {
        let (schedule, at) = self.of(step);
        let message = schedule.send(rank, lane, at.step, i);
        let first = match self.operations[at.operation as usize].kind {
            Kind::Messages { receiver: Some(receiver), .. } => self.first_step(receiver, at.number),
            _ => step - at.step,
        };
        Message { recv_step: first + message.recv_step, ..message }
    }

    fn recvs(&self, rank: u32, lane: u32, step: u32) -> Recv {
        let (schedule, at) = self.of(step);
        let there = lane < schedule.lanes() && at.step < schedule.steps(rank, lane);
        if there && self.role(rank).executes[at.operation as usize] {
            schedule.recvs(rank, lane, at.step)
        } else {
            Recv::default()
        }
    }

    fn symmetry(&self) -> Vec<Digit> {
        let mut shared: Option<Vec<Digit>> = None;
        for schedule in self.operations.iter().filter_map(Operation::schedule) {
            let digits = schedule.symmetry();
            shared = Some(shared.map_or_else(|| digits.clone(), |shared| common(&shared, &digits)));
        }
        let overlaps = |a: &Digit, b: &Digit| a.stride < b.end() && b.stride < a.end();
        let mut digits = shared.unwrap_or_default();
        digits.retain(|digit| !self.fixed.iter().any(|fixed| overlaps(digit, fixed)));
        digits
    }

    fn switches(&self) -> SwitchUse {
        let uses = self.operations.iter().filter_map(Operation::schedule).map(|schedule| schedule.switches());
        uses.into_iter().find(|&uses| uses != SwitchUse::Forward).unwrap_or(SwitchUse::Forward)
    }

    fn mixed(&self) -> bool {
        let mut uses = self.operations.iter().filter_map(Operation::schedule).map(|schedule| schedule.switches());
        self.switches() != SwitchUse::Forward && uses.any(|uses| uses == SwitchUse::Forward)
    }

    fn circle(&self) -> Option<Vec<u32>> {
        let sums = |schedule: &&dyn Schedule| schedule.switches() != SwitchUse::Forward;
        self.operations.iter().filter_map(Operation::schedule).find(sums)?.circle()
    }

    fn blocks(&self, rank: u32, lane: u32, step: u32, i: u32, out: &mut Vec<Block>) {
        let (schedule, at) = self.of(step);
        schedule.blocks(rank, lane, at.step, i, out);
    }

    fn block_bytes(&self, _: Block) -> u64 {
        0 // blocks of different operations are not told apart: each is checked by itself
    }

    fn alike(&self, lane: u32, step: u32) -> Range<u32> {
        let (schedule, at) = self.of(step);
        let first = step - at.step;
        let alike = schedule.alike(lane, at.step);
        first + alike.start..first.saturating_add(alike.end)
    }
}
