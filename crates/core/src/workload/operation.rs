//! One operation: what it does, what it waits for, and where its steps lie.
//!
//! **Model.** An operation has as many *instances* per rank as the loops around it make. Nothing is unrolled: the `k`-th instance is found
//! by arithmetic on the loops. **Cost.** A few words, whatever the number of ranks and iterations.

use std::sync::Arc;

use super::{Communicators, Work};
use crate::collective::Schedule;
use crate::radix::Digit;
use crate::rng::mix;
use crate::spec::ProtocolSpec;
use crate::units::Fs;

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
    Compute(Work),
    /// Waits so long.
    Delay(Fs),
}

/// A dependency: which instance of another operation has to have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct After {
    pub(super) operation: u32,
    /// Instances of this operation, and of the other, in an iteration of the innermost loop that holds both.
    pub(super) mine: u32,
    pub(super) theirs: u32,
    /// Iterations before this one.
    pub(super) previous: u32,
}

impl After {
    /// The other operation.
    pub(crate) fn operation(&self) -> u32 {
        self.operation
    }

    /// Whether the `k`-th instance waits for any instance at all: the first ones have nothing before them.
    pub(crate) fn applies(&self, k: u32) -> bool {
        k / self.mine + 1 >= self.previous
    }

    /// Instances of the other operation that have to have ended before the `k`-th of this one begins.
    pub(crate) fn needed(&self, k: u32) -> u32 {
        (k / self.mine + 1).saturating_sub(self.previous) * self.theirs
    }
}

/// A loop around an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Nest {
    /// Which one.
    pub(super) id: u32,
    pub(super) count: u32,
    /// Steps of an iteration.
    pub(super) span: u32,
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
    /// Who sends what to whom, for the ranks of its job alone, counted from its first.
    pub alone: Option<Arc<dyn Schedule>>,
    /// Digits of the rank that may not be shifted, because it is not executed all along them.
    pub(super) fixed: Vec<Digit>,
    /// The communicators, if not all ranks of the job are in one.
    pub listed: Option<Communicators>,
    pub(crate) after: Vec<After>,
    /// First step of its first instance, steps of an instance, and the loops around it, outermost first.
    pub(super) base: u32,
    pub(super) span: u32,
    pub(super) nests: Vec<Nest>,
    /// Of its name: random choices of different operations are independent.
    pub(super) key: u64,
}

impl Operation {
    /// Instances per rank.
    pub fn instances(&self) -> u32 {
        self.nests.iter().map(|nest| nest.count).product()
    }

    /// Number of each loop around it, its count, and its iteration in two instances.
    pub(crate) fn iterations(&self, mut j: u32, mut k: u32) -> impl Iterator<Item = (u32, u32, u32, u32)> + '_ {
        self.nests.iter().rev().map(move |nest| {
            let of = (nest.id, nest.count, j % nest.count, k % nest.count);
            (j, k) = (j / nest.count, k / nest.count);
            of
        })
    }

    /// First step of the `k`-th instance.
    pub(super) fn first_step(&self, mut k: u32) -> u32 {
        self.nests.iter().rev().fold(self.base, |step, nest| {
            let iteration = k % nest.count;
            k /= nest.count;
            step + iteration * nest.span
        })
    }

    /// Digits by which its ranks can be shifted within its job, as far as the operation itself knows.
    pub fn symmetry(&self) -> Vec<Digit> {
        let mut digits = self.alone.as_ref().map_or_else(Vec::new, |alone| alone.symmetry());
        digits.retain(|digit| self.fixed.iter().all(|fixed| !digit.overlaps(fixed)));
        digits
    }

    /// Its schedule, if it moves messages.
    pub fn schedule(&self) -> Option<&dyn Schedule> {
        match &self.kind {
            Kind::Messages { schedule, .. } => Some(&**schedule),
            Kind::Compute(_) | Kind::Delay(_) => None,
        }
    }
}

/// A hash of a name, always alike.
pub(super) fn key_of(job: &str, name: &str) -> u64 {
    let bytes = job.bytes().chain([0]).chain(name.bytes());
    bytes.fold(0, |key, byte| mix(key ^ u64::from(byte)))
}
