//! Direct exchange: one step (two for two-shot), everyone sends straight to everyone concerned.
//!
//! **Model.** All-gather, reduce-scatter, all-to-all: each rank sends the piece concerned to each other rank, the nearest
//! higher rank first, so that no receiver is everyone's first. "Higher" is counted digit by digit in the order that the
//! caller gives (local ranks, nodes, leaves, ...): the `i`-th message goes to the rank whose digits are the sender's plus those of `i`, without
//! carry, so that everyone's message of a turn crosses the same levels, as in a library's node-by-node rounds. All-reduce in one shot: everyone sends its whole buffer to
//! everyone and reduces what arrives. Broadcast, scatter: the root sends to all; gather, reduce: all send to the root.
//! Send-receive: everyone sends its buffer to the next rank. Two-shot is the reduce-scatter, then the all-gather.
//!
//! **Invariant.** No rank sends two messages to the same rank in a step.
//!
//! **Cost** (p ranks, n bytes): one step. All-gather, reduce-scatter, all-to-all p(p-1) messages, n(p-1) bytes; one-shot
//! all-reduce p(p-1) messages, np(p-1) bytes; two-shot two steps, 2p(p-1) messages, 2n(p-1) bytes; broadcast, reduce p-1
//! messages, n(p-1) bytes; gather, scatter p-1 messages, n(p-1)/p bytes; send-receive p messages, np bytes.
//!
//! **Limits.** A step's messages are all posted at once: incast at a root is the network's business.
//!
//! **Source.** MPI's basic linear algorithms; one- and two-shot as in the NVLink all-reduce kernels of inference engines.

use super::Collective;
use super::layout::{Cut, Part, add_mod};
use super::program::{Expect, Move, Program};
use crate::radix::{Digit, Radix};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Direct {
    collective: Collective,
    ranks: u32,
    root: u32,
    all: Part,
    two_shot: bool,
    order: Radix,
}

impl Direct {
    pub(super) fn new(collective: Collective, root: u32, two_shot: bool, order: Radix, cut: &Cut) -> Self {
        Direct { collective, ranks: cut.ranks(), root, all: cut.all(), two_shot, order }
    }

    /// The rank `far` further on. Send-receive is a ring: the next rank, with carry.
    fn peer(&self, rank: u32, far: u32) -> u32 {
        if self.collective == Collective::SendRecv {
            return add_mod(rank, far, self.ranks);
        }
        self.order.add(rank, far)
    }

    /// The collective that a step carries out.
    fn stage(&self, step: u32) -> Collective {
        match (self.two_shot, step) {
            (false, _) => self.collective,
            (true, 0) => Collective::ReduceScatter,
            (true, _) => Collective::AllGather,
        }
    }
}

impl Program for Direct {
    fn symmetry(&self) -> Vec<Digit> {
        match self.collective {
            collective if collective.rooted() => vec![],
            Collective::SendRecv => vec![Digit { stride: 1, size: self.ranks }],
            _ => self.order.digits().to_vec(),
        }
    }

    fn steps(&self, _: u32, _: u32) -> u32 {
        1 + u32::from(self.two_shot)
    }

    fn sends(&self, rank: u32, _: u32, step: u32) -> u32 {
        match self.stage(step) {
            Collective::Broadcast | Collective::Scatter if rank != self.root => 0,
            Collective::Reduce | Collective::Gather => u32::from(rank != self.root),
            Collective::SendRecv => 1,
            _ => self.ranks - 1,
        }
    }

    fn send(&self, rank: u32, _: u32, step: u32, i: u32) -> Move {
        let peer = self.peer(rank, i + 1);
        match self.stage(step) {
            Collective::AllGather => Move::new(peer, step, Part::one(rank)),
            Collective::ReduceScatter | Collective::Scatter => Move::new(peer, step, Part::one(peer)),
            // The pieces of an all-to-all are numbered by distance.
            Collective::AllToAll => Move::new(peer, step, Part::one(i + 1)),
            Collective::Gather => Move::new(self.root, step, Part::one(rank)),
            Collective::Reduce => Move::new(self.root, step, self.all),
            _ => Move::new(peer, step, self.all),
        }
    }

    fn recv(&self, rank: u32, _: u32, step: u32) -> Expect {
        let (others, root) = (self.ranks - 1, rank == self.root);
        match self.stage(step) {
            Collective::AllReduce => Expect::reduce(self.all).each(others),
            Collective::AllGather => Expect::copy(Part::all_but(rank, self.ranks)).over(others),
            Collective::ReduceScatter => Expect::reduce(Part::one(rank)).each(others),
            Collective::AllToAll => Expect::copy(Part::all_but(0, self.ranks)).over(others),
            Collective::Broadcast if !root => Expect::copy(self.all),
            Collective::Scatter if !root => Expect::copy(Part::one(rank)),
            Collective::Reduce if root => Expect::reduce(self.all).each(others),
            Collective::Gather if root => Expect::copy(Part::all_but(rank, self.ranks)).over(others),
            Collective::SendRecv => Expect::copy(self.all),
            _ => Expect::NOTHING,
        }
    }
}
