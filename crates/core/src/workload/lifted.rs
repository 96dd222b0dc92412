//! One schedule run by many communicators at once, as a schedule of all ranks.
//!
//! **Model.** A schedule knows the places of one communicator. Here each rank does what its place does, with the peers of its own
//! communicator.
//!
//! **Invariant.** No message leaves its communicator, nor does a sum that switches form. **Cost.** Two divisions per axis and call.

use std::ops::Range;
use std::sync::Arc;

use super::Communicators;
use crate::collective::{Block, Circle, Message, Recv, Schedule, SwitchUse, Target};
use crate::radix::Digit;

/// A schedule of places, for all ranks of a run.
#[derive(Debug)]
pub struct Lifted {
    /// What each communicator does.
    pub local: Arc<dyn Schedule>,
    /// Who they are.
    pub communicators: Communicators,
    /// Ranks of the run.
    pub ranks: u32,
}

impl Lifted {
    fn place(&self, rank: u32) -> u32 {
        self.communicators.place(rank)
    }
}

impl Schedule for Lifted {
    fn ranks(&self) -> u32 {
        self.ranks
    }

    fn lanes(&self) -> u32 {
        self.local.lanes()
    }

    fn steps(&self, rank: u32, lane: u32) -> u32 {
        if self.communicators.contain(rank) { self.local.steps(self.place(rank), lane) } else { 0 }
    }

    fn sends(&self, rank: u32, lane: u32, step: u32) -> u32 {
        self.local.sends(self.place(rank), lane, step)
    }

    fn send(&self, rank: u32, lane: u32, step: u32, i: u32) -> Message {
        let message = self.local.send(self.place(rank), lane, step, i);
        let to = match message.to {
            Target::Rank(place) => Target::Rank(self.communicators.peer(rank, place)),
            Target::SwitchReduce { root } => Target::SwitchReduce { root: self.communicators.peer(rank, root) },
            all @ (Target::SwitchMulticast | Target::SwitchAllReduce) => all,
        };
        Message { to, ..message }
    }

    fn recvs(&self, rank: u32, lane: u32, step: u32) -> Recv {
        self.local.recvs(self.place(rank), lane, step)
    }

    fn symmetry(&self) -> Vec<Digit> {
        self.communicators.symmetry(self.ranks, &self.local.symmetry())
    }

    fn stays_within(&self, size: u32) -> bool {
        size >= self.ranks || self.communicators.stay_within(size)
    }

    fn switches(&self) -> SwitchUse {
        self.local.switches()
    }

    fn mixed(&self) -> bool {
        self.local.mixed()
    }

    fn circle(&self, rank: u32, step: u32) -> Circle<'_> {
        // who is in no communicator asks for the size alone, which is that of any
        let place = if self.communicators.contain(rank) { self.place(rank) } else { 0 };
        self.local.circle(place, step).among(&self.communicators, rank)
    }

    fn a_circle(&self) -> Option<Vec<u32>> {
        let first = self.communicators.firsts().next()?;
        let places = self.local.a_circle().unwrap_or_else(|| (0..self.communicators.size()).collect());
        Some(places.into_iter().map(|place| self.communicators.peer(first, place)).collect())
    }

    fn blocks(&self, rank: u32, lane: u32, step: u32, i: u32, out: &mut Vec<Block>) {
        self.local.blocks(self.place(rank), lane, step, i, out);
    }

    fn block_bytes(&self, block: Block) -> u64 {
        self.local.block_bytes(block)
    }

    fn alike(&self, lane: u32, step: u32) -> Range<u32> {
        self.local.alike(lane, step)
    }
}
