//! Sums inside units by switches, trees between units: what NCCL calls NVLSTree.
//!
//! **Model.** Ranks fill units (boards, racks) of `g` consecutive ranks, and switches inside a unit add and replicate. Every rank
//! is the owner of one piece of `g`, in its unit: so owners at the same place of their units own the same piece, and between them are
//! the two trees of [`super::trees`]. A lane of an all-reduce has three parts:
//!
//! - *in*: every rank sends its contribution to each owner of its unit, the next higher one first and itself last, and the switches
//!   deliver one sum to each owner;
//! - *between*: owners add what their children send to that sum, send it to their parent, and hear the result from there. Lane `l`
//!   uses tree `l mod 2`;
//! - *out*: an owner sends the result to its children, and has the switches multicast it to its unit, itself included.
//!
//! Lanes are chunks: later ones go in while earlier ones are between units.
//!
//! **Invariant.** The data of a rank is added once by switches, in its unit, and the sum of a unit once per edge of a tree. All
//! ranks of a unit are at the same step of a lane, so what is multicast comes to one step of all of them.
//!
//! **Cost** (u units of g ranks, n bytes, L lanes): Lug(g+1) messages to switches and 2Lg(u-1) between units, in at most four steps
//! per lane. A rank sends n + n/g bytes inside its unit and receives n/g + n. Between units an owner sends and receives at most 2n/g
//! bytes, of two units n/g; all of them together 2n(u-1) bytes.
//!
//! **Limits.** All ranks are owners: the library has at most 32 in a unit. Only all-reduce, as in the library. A sum is delivered as
//! if stored (the owner's own share is among the contributions). An owner sends to its parent and hears from its children by the same
//! NIC.
//!
//! **Source.** NCCL v2.30, `src/device/all_reduce.h` (the parts), `src/graph/connect.cc` (the trees between units).

use super::in_network;
use super::layout::{Cut, Part, add_mod};
use super::program::{Expect, Move, Program};
use super::trees::Trees;
use super::{SwitchUse, Target};
use crate::radix::Digit;

/// The usual number of lanes for a size: those of one unit, and at least one per tree.
pub(super) fn lanes(bytes: u64) -> u32 {
    in_network::lanes(bytes).next_multiple_of(2)
}

/// Ranks of a unit, if there are several units of several ranks each.
pub fn unit(levels: &[u32], ranks: u32) -> Option<u32> {
    levels.first().copied().filter(|&unit| unit > 1 && unit < ranks)
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct InNetworkTree {
    unit: u32,
    trees: Trees,
    all: Part,
}

/// What a unit does in one step of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Ranks contribute, owners get the sums of the unit.
    In,
    /// Owners add what the children send.
    Collect,
    /// Owners send to the parent and hear from it.
    Above,
    /// Owners send the result to the children and to the unit.
    Out,
    /// Nothing left to do.
    Done,
}

impl InNetworkTree {
    /// Over units of so many ranks.
    pub(super) fn new(unit: u32, cut: &Cut) -> Self {
        InNetworkTree { unit, trees: Trees { places: cut.ranks() / unit, root: 0 }, all: cut.all() }
    }

    /// The number of a rank's unit in the tree of a lane.
    fn number(&self, rank: u32, lane: u32) -> u32 {
        self.trees.number(rank / self.unit, lane)
    }

    /// The owner that corresponds to a rank in another unit.
    fn owner(&self, number: u32, rank: u32, lane: u32) -> u32 {
        self.trees.place(number, lane) * self.unit + rank % self.unit
    }

    fn phase(&self, number: u32, step: u32) -> Phase {
        let inner = self.trees.children(number).1 > 0;
        [(true, Phase::In), (inner, Phase::Collect), (number > 0, Phase::Above), (true, Phase::Out)]
            .into_iter()
            .filter_map(|(takes_part, phase)| takes_part.then_some(phase))
            .nth(step as usize)
            .unwrap_or(Phase::Done)
    }
}

impl Program for InNetworkTree {
    fn switches(&self) -> SwitchUse {
        SwitchUse::Owned
    }

    fn unit(&self) -> Option<u32> {
        Some(self.unit)
    }

    fn symmetry(&self) -> Vec<Digit> {
        vec![Digit { stride: 1, size: self.unit }]
    }

    fn steps(&self, rank: u32, lane: u32) -> u32 {
        let number = self.number(rank, lane);
        2 + u32::from(self.trees.children(number).1 > 0) + u32::from(number > 0)
    }

    fn sends(&self, rank: u32, lane: u32, step: u32) -> u32 {
        let number = self.number(rank, lane);
        match self.phase(number, step) {
            Phase::In => self.unit,
            Phase::Above => 1,
            Phase::Out => self.trees.children(number).1 + 1,
            Phase::Collect | Phase::Done => 0,
        }
    }

    fn send(&self, rank: u32, lane: u32, step: u32, i: u32) -> Move {
        let (number, local) = (self.number(rank, lane), rank % self.unit);
        let own = Part::one(local);
        match self.phase(number, step) {
            Phase::In => {
                let owner = add_mod(local, i + 1, self.unit);
                let root = rank - local + owner;
                Move { to: Target::SwitchReduce { root }, recv_step: 0, part: Part::one(owner) }
            }
            // its second step is the one in which it collects
            Phase::Above => Move::new(self.owner(self.trees.parent(number), rank, lane), 1, own),
            _ => match self.trees.children(number) {
                // the way to other units is longer, so they come first
                (children, count) if i < count => {
                    let child = children[i as usize];
                    let later = self.trees.children(child).1 > 0;
                    Move::new(self.owner(child, rank, lane), 1 + u32::from(later), own)
                }
                _ => Move { to: Target::SwitchMulticast, recv_step: step, part: own },
            },
        }
    }

    fn recv(&self, rank: u32, lane: u32, step: u32) -> Expect {
        let number = self.number(rank, lane);
        let own = Part::one(rank % self.unit);
        match self.phase(number, step) {
            Phase::In | Phase::Above => Expect::copy(own),
            Phase::Collect => Expect::reduce(own).each(self.trees.children(number).1),
            Phase::Out => Expect::copy(self.all).over(self.unit),
            Phase::Done => Expect::NOTHING,
        }
    }
}
