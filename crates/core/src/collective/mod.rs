//! Collectives as implicit schedules: who sends what to whom in which step.
//!
//! A [`Schedule`] is a pure function of (rank, lane, step); nothing is listed, so a ring over a million ranks costs a few
//! words. A *lane* is an independent program (an NCCL channel, one tree of a double binary tree, one pipelined chunk):
//! within a lane, a rank's steps run strictly in order, and a step is complete when all its messages have left and all
//! that it must receive has arrived. Lanes of one rank run side by side and share its ports.
//!
//! **Invariants.** Every message of a schedule is received exactly once: the messages sent to (rank, lane, recv_step) are
//! what [`Schedule::recvs`] announces there. [`crate::check`] proves this and the collective's result by symbolic execution.
//!
//! **Limits.** This module knows ranks and bytes, never links. Byte sizes are those of nccl-tests' size column.

mod axes;
mod binomial;
mod bruck;
mod buckets;
mod build;
mod circle;
mod digits;
mod direct;
mod double_tree;
mod fold;
mod halving_doubling;
mod hierarchical;
mod in_network;
mod in_network_tree;
mod layout;
mod nccl_tests;
mod pairwise;
mod placed;
mod program;
mod recursive_doubling;
mod ring;
mod torus;
mod trees;

#[cfg(test)]
mod tests;

pub use crate::spec::{Algorithm, Collective, MAX_LANES};
pub use build::{Params, build, valid_algorithms};
pub use circle::{Circle, Peers};
pub use in_network_tree::unit;
pub use placed::{Placed, inverse};

use crate::radix::Digit;
use std::fmt::Debug;
use std::ops::Range;

/// What happens to arriving data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Stored: one memory write.
    Copy,
    /// Combined with local data: two reads and one write.
    Reduce,
}

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// To one other rank.
    Rank(u32),
    /// A contribution that the switches combine with the same message of every other rank of the circle
    /// ([`Schedule::circle`]); the sum arrives at `root` once. All its ranks (the root too) send a contribution of the same size
    /// with the same (lane, recv_step).
    SwitchReduce {
        /// The rank that gets the sum.
        root: u32,
    },
    /// Replicated by the switches to every rank of the sender's circle, the sender included.
    SwitchMulticast,
    /// A contribution that the switches combine with the same message of every other rank; the sum arrives at every rank
    /// once. All ranks send a contribution of the same size with the same (lane, recv_step).
    SwitchAllReduce,
}

/// What a schedule asks of switches besides forwarding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwitchUse {
    /// Nothing.
    Forward,
    /// Sums and copies that belong to a rank each.
    Owned,
    /// Sums of all that go to all, and nothing else.
    Shared,
}

/// One message of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Destination.
    pub to: Target,
    /// Payload bytes; zero is a header-only message (a barrier's token, an empty chunk of a small buffer).
    pub bytes: u64,
    /// The step of the receiver, in the same lane, that waits for this message.
    pub recv_step: u32,
}

/// What a rank must receive before a step is complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recv {
    /// Number of messages (an in-network reduction counts as one).
    pub messages: u32,
    /// Their payload bytes together.
    pub bytes: u64,
    /// True if the data is reduced into local data, false if it is stored.
    pub reduce: bool,
}

/// Identifies a piece of data for the symbolic checker. What it means is up to the collective: the chunk of a buffer for
/// all_reduce, `src * n + dst` for all_to_all.
pub type Block = u64;

/// An implicit schedule. All methods are pure; ranks are `0..ranks()`, lanes `0..lanes()`, steps `0..steps(rank, lane)`.
pub trait Schedule: Send + Sync + Debug {
    /// Number of ranks.
    fn ranks(&self) -> u32;
    /// Number of independent lanes (at most [`MAX_LANES`]).
    fn lanes(&self) -> u32;
    /// Number of steps of a rank in a lane (at most [`MAX_STEPS`]).
    fn steps(&self, rank: u32, lane: u32) -> u32;
    /// Number of messages that the rank sends in this step.
    fn sends(&self, rank: u32, lane: u32, step: u32) -> u32;
    /// The `i`-th message of this step, `i < sends(..)`. Messages of a step are injected in this order.
    fn send(&self, rank: u32, lane: u32, step: u32, i: u32) -> Message;
    /// What the rank must receive for this step to complete. Only [`crate::walk`] asks.
    fn recvs(&self, rank: u32, lane: u32, step: u32) -> Recv;
    /// Digits of the rank that can be shifted cyclically, each on its own, without changing the schedule: shifting the
    /// sender shifts the receivers and nothing else. Empty if there are none, or none is known.
    fn symmetry(&self) -> Vec<Digit> {
        vec![]
    }
    /// Whether no message leaves a group of so many ranks, where ranks `0..size` are the first group, and so on.
    fn stays_within(&self, size: u32) -> bool {
        size >= self.ranks()
    }
    /// Whether switches combine or replicate messages, and for whom.
    fn switches(&self) -> SwitchUse {
        SwitchUse::Forward
    }
    /// Whether some messages are only forwarded while switches combine others.
    fn mixed(&self) -> bool {
        false
    }
    /// The ranks whose contributions switches add up with those of a rank in a step, itself among them. All circles of a step are
    /// of one size, which any rank tells.
    fn circle(&self, _rank: u32, _step: u32) -> Circle<'_> {
        Circle::new(0, self.ranks())
    }
    /// One circle, which stands for all others; `None` if all ranks are one.
    fn a_circle(&self) -> Option<Vec<u32>> {
        None
    }
    /// Appends the blocks that message `i` carries, for the checker. Their [`Schedule::block_bytes`] sum to its bytes.
    fn blocks(&self, rank: u32, lane: u32, step: u32, i: u32, out: &mut Vec<Block>);
    /// Payload bytes of a block.
    fn block_bytes(&self, block: Block) -> u64;
    /// Steps around `step` that are known to be alike for every rank: all of them have the step and do the same in each,
    /// that is, as many messages with the same targets and bytes, to a step as far ahead, and the same to receive. Alike
    /// is an equivalence: every step of the range gives the same range.
    fn alike(&self, _lane: u32, step: u32) -> Range<u32> {
        step..step.saturating_add(1)
    }
}

/// Largest number of steps a lane may have (22 bits of a packet's tag).
pub const MAX_STEPS: u32 = 1 << 22;
