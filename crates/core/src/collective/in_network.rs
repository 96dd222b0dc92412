//! In-network collectives: switches add up and replicate.
//!
//! **Model.** Each rank owns one piece. Step 0 of an all-reduce: every rank sends, for every owner in turn, the next higher
//! rank first and itself last, its contribution
//! to that owner's piece; the switches add the p contributions and deliver one sum to the owner. Step 1: the owner has its
//! piece multicast to all, itself included. Reduce-scatter is step 0, all-gather step 1. Broadcast is one multicast of the
//! root; reduce is one contribution of everyone. Barrier: an empty reduction to rank 0, then its empty multicast.
//!
//! Where a tree of several tiers of switches joins the ranks (`shared`), an all-reduce has no owners: every rank sends all
//! its data once, in the same order; switches add on the way up, and what the topmost one has complete it replicates
//! down to all, packet by packet. So does a barrier, with an empty message. The others are as above.
//!
//! **Invariant.** All ranks do alike, as owners that all ask at the same time make them: at any moment they contribute to
//! different owners. A lane's sums are complete when its last contributions are there; lanes follow each other.
//!
//! **Cost** (p ranks, n bytes, L lanes): all-reduce two steps, Lp(p+1) messages, of which a rank sends n + n/p bytes and
//! receives n/p + n. Reduce-scatter one step, Lp^2 messages, np bytes sent, n received. All-gather one step, Lp messages, n
//! bytes sent, np received. Broadcast L, reduce Lp, barrier p + 1 messages. Shared: one step, Lp messages, of which a rank
//! sends and receives n bytes.
//!
//! **Limits.** A sum is delivered as if stored (the owner's own share is among the contributions).
//!
//! **Source.** Graham et al.: Scalable hierarchical aggregation protocol (SHArP), COMHPC 2016; Klenk, Jiang, Thorson,
//! Dennison: An in-network architecture for accelerating shared-memory multiprocessor collectives, ISCA 2020.

use super::Collective;
use super::layout::{Cut, Part, add_mod};
use super::program::{Expect, Move, Program};
use super::{SwitchUse, Target};
use crate::radix::{Digit, Radix};

/// Bytes that are worth a lane of their own, and how many lanes such a short pipeline has at most.
const LANE_BYTES: u64 = 256 << 10;
const FEW_LANES: u64 = 32;
/// Bytes of a lane in a long pipeline: what a lane multicasts waits in the switches meanwhile.
const LONG_LANE_BYTES: u64 = 4 << 20;
/// Lanes by default, at most.
const LANES: u64 = 256;

/// True if a sum of everyone's contributions is all that the collective asks for.
pub(super) fn shares(collective: Collective) -> bool {
    matches!(collective, Collective::AllReduce | Collective::Barrier)
}

/// The usual number of lanes for a size.
pub(super) fn lanes(bytes: u64) -> u32 {
    let lanes = bytes.div_ceil(LANE_BYTES).min(FEW_LANES).max(bytes.div_ceil(LONG_LANE_BYTES).min(LANES));
    lanes.max(1) as u32
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct InNetwork {
    collective: Collective,
    ranks: u32,
    root: u32,
    all: Part,
    /// Sums of all go to all.
    shared: bool,
    /// Digits in which the fabric counts the ranks.
    order: Radix,
}

/// What a step does.
enum Stage {
    /// Contributions to every owner's piece.
    Scatter,
    /// Everyone's piece to everyone.
    Gather,
    /// Contributions to one root.
    Reduce,
    /// The root's data to everyone.
    Broadcast,
    /// Contributions of everyone to a sum for everyone.
    Shared,
}

impl InNetwork {
    /// With `shared`, all-reduce and barrier let sums go to all instead of to owners.
    pub(super) fn new(collective: Collective, root: u32, shared: bool, order: Radix, cut: &Cut) -> Self {
        let root = if collective == Collective::Barrier { 0 } else { root };
        let shared = shared && shares(collective);
        InNetwork { collective, ranks: cut.ranks(), root, all: cut.all(), shared, order }
    }

    fn stage(&self, step: u32) -> Stage {
        match (self.collective, step) {
            _ if self.shared => Stage::Shared,
            (Collective::AllGather, _) => Stage::Gather,
            (Collective::Broadcast, _) => Stage::Broadcast,
            (Collective::Reduce, _) | (Collective::Barrier, 0) => Stage::Reduce,
            (Collective::Barrier, _) => Stage::Broadcast,
            (Collective::AllReduce, 1) => Stage::Gather,
            _ => Stage::Scatter,
        }
    }
}

impl Program for InNetwork {
    fn switches(&self) -> SwitchUse {
        if self.shared { SwitchUse::Shared } else { SwitchUse::Owned }
    }

    fn symmetry(&self) -> Vec<Digit> {
        match self.collective {
            // any renaming of the ranks would do
            _ if self.shared => self.order.digits().to_vec(),
            Collective::AllReduce | Collective::AllGather | Collective::ReduceScatter => {
                vec![Digit { stride: 1, size: self.ranks }]
            }
            _ => vec![],
        }
    }

    fn steps(&self, _: u32, _: u32) -> u32 {
        1 + u32::from(!self.shared && matches!(self.collective, Collective::AllReduce | Collective::Barrier))
    }

    fn sends(&self, rank: u32, _: u32, step: u32) -> u32 {
        match self.stage(step) {
            Stage::Scatter => self.ranks,
            Stage::Gather | Stage::Reduce | Stage::Shared => 1,
            Stage::Broadcast => u32::from(rank == self.root),
        }
    }

    fn send(&self, rank: u32, _: u32, step: u32, i: u32) -> Move {
        let (to, part) = match self.stage(step) {
            Stage::Scatter => {
                let root = add_mod(rank, i + 1, self.ranks);
                (Target::SwitchReduce { root }, Part::one(root))
            }
            Stage::Gather => (Target::SwitchMulticast, Part::one(rank)),
            // A barrier's contribution carries the rank's own token, its answer carries all.
            Stage::Reduce if self.collective == Collective::Barrier => {
                (Target::SwitchReduce { root: self.root }, Part::one(rank))
            }
            Stage::Reduce => (Target::SwitchReduce { root: self.root }, self.all),
            Stage::Broadcast => (Target::SwitchMulticast, self.all),
            Stage::Shared if self.collective == Collective::Barrier => (Target::SwitchAllReduce, Part::one(rank)),
            Stage::Shared => (Target::SwitchAllReduce, self.all),
        };
        Move { to, recv_step: step, part }
    }

    fn recv(&self, rank: u32, _: u32, step: u32) -> Expect {
        match self.stage(step) {
            Stage::Scatter => Expect::copy(Part::one(rank)),
            Stage::Gather => Expect::copy(self.all).over(self.ranks),
            Stage::Reduce if rank != self.root => Expect::NOTHING,
            Stage::Reduce | Stage::Broadcast | Stage::Shared => Expect::copy(self.all),
        }
    }
}
