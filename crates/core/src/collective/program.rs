//! The one adaptor that turns an algorithm into a [`Schedule`].
//!
//! **Model.** An algorithm is a [`Program`]: it says *which pieces* travel. The cut says how many bytes they are and which
//! blocks the checker sees, so that the two cannot disagree.
//!
//! **Invariant.** All calls are pure and do not allocate, save for listing blocks.

use super::layout::{Cut, Part};
use super::{Block, Circle, Message, Op, Recv, Schedule, SwitchUse, Target};
use crate::radix::Digit;
use std::fmt::Debug;
use std::ops::Range;

/// One message in terms of pieces.
#[derive(Clone, Copy, Debug)]
pub(super) struct Move {
    pub(super) to: Target,
    pub(super) recv_step: u32,
    pub(super) part: Part,
}

impl Move {
    pub(super) fn new(to: u32, recv_step: u32, part: Part) -> Self {
        Move { to: Target::Rank(to), recv_step, part }
    }
}

/// What a step waits for: `messages` that together bring `part`, `times` times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expect {
    pub(super) messages: u32,
    pub(super) times: u32,
    pub(super) part: Part,
    pub(super) op: Op,
}

impl Expect {
    pub(super) const NOTHING: Self =
        Expect { messages: 0, times: 0, part: Part::Span { first: 0, len: 0 }, op: Op::Copy };

    /// One message that is stored.
    pub(super) fn copy(part: Part) -> Self {
        Expect { messages: 1, times: 1, part, op: Op::Copy }
    }

    /// One message that is reduced.
    pub(super) fn reduce(part: Part) -> Self {
        Expect { messages: 1, times: 1, part, op: Op::Reduce }
    }

    /// As many such messages.
    pub(super) fn each(self, messages: u32) -> Self {
        Expect { messages, times: messages, ..self }
    }

    /// So many messages that bring the part between them.
    pub(super) fn over(self, messages: u32) -> Self {
        Expect { messages, ..self }
    }
}

/// An algorithm: a schedule that speaks of pieces instead of bytes. Same rules as [`Schedule`].
pub(super) trait Program: Send + Sync + Debug {
    fn steps(&self, rank: u32, lane: u32) -> u32;
    fn sends(&self, rank: u32, lane: u32, step: u32) -> u32;
    fn send(&self, rank: u32, lane: u32, step: u32, i: u32) -> Move;
    fn recv(&self, rank: u32, lane: u32, step: u32) -> Expect;
    /// See [`Schedule::switches`].
    fn switches(&self) -> SwitchUse {
        SwitchUse::Forward
    }
    /// Ranks of a unit, if switches form sums inside units of so many consecutive ranks and units send to each other.
    fn unit(&self) -> Option<u32> {
        None
    }
    /// See [`Schedule::symmetry`].
    fn symmetry(&self) -> Vec<Digit> {
        vec![]
    }
    /// See [`Schedule::alike`], provided that all pieces of a lane weigh the same.
    fn alike(&self, _lane: u32, step: u32) -> Range<u32> {
        step..step.saturating_add(1)
    }
}

/// A program on a cut buffer.
#[derive(Debug)]
pub(super) struct Laid<P> {
    pub(super) cut: Cut,
    pub(super) program: P,
}

impl<P: Program> Schedule for Laid<P> {
    fn ranks(&self) -> u32 {
        self.cut.ranks()
    }

    fn lanes(&self) -> u32 {
        self.cut.lanes()
    }

    fn steps(&self, rank: u32, lane: u32) -> u32 {
        self.program.steps(rank, lane)
    }

    fn sends(&self, rank: u32, lane: u32, step: u32) -> u32 {
        self.program.sends(rank, lane, step)
    }

    fn send(&self, rank: u32, lane: u32, step: u32, i: u32) -> Message {
        let Move { to, recv_step, part } = self.program.send(rank, lane, step, i);
        Message { to, bytes: self.cut.bytes(&part, lane), recv_step }
    }

    fn recvs(&self, rank: u32, lane: u32, step: u32) -> Recv {
        let Expect { messages, times, part, op } = self.program.recv(rank, lane, step);
        Recv { messages, bytes: u64::from(times) * self.cut.bytes(&part, lane), reduce: op == Op::Reduce }
    }

    fn switches(&self) -> SwitchUse {
        self.program.switches()
    }

    fn mixed(&self) -> bool {
        self.program.unit().is_some()
    }

    fn circle(&self, rank: u32, _: u32) -> Circle<'_> {
        match self.program.unit() {
            None => Circle::new(0, self.cut.ranks()),
            Some(size) => Circle::new(rank / size * size, size),
        }
    }

    fn a_circle(&self) -> Option<Vec<u32>> {
        self.program.unit().map(|size| (0..size).collect())
    }

    fn symmetry(&self) -> Vec<Digit> {
        self.program.symmetry()
    }

    fn blocks(&self, rank: u32, lane: u32, step: u32, i: u32, out: &mut Vec<Block>) {
        self.cut.blocks(&self.program.send(rank, lane, step, i).part, rank, lane, out);
    }

    fn block_bytes(&self, block: Block) -> u64 {
        self.cut.block_bytes(block)
    }

    fn alike(&self, lane: u32, step: u32) -> Range<u32> {
        if self.even(lane) { self.program.alike(lane, step) } else { step..step.saturating_add(1) }
    }
}

impl<P> Laid<P> {
    /// True if all pieces of a lane weigh the same. Pieces do not grow with their number, so the first and the last tell.
    fn even(&self, lane: u32) -> bool {
        let Part::Span { len, .. } = self.cut.all() else {
            return false;
        };
        self.cut.bytes(&Part::one(0), lane) == self.cut.bytes(&Part::one(len.saturating_sub(1)), lane)
    }
}

/// The schedule of a lone rank: nothing to do.
#[derive(Debug)]
pub(super) struct Idle;

impl Schedule for Idle {
    fn ranks(&self) -> u32 {
        1
    }

    fn lanes(&self) -> u32 {
        1
    }

    fn steps(&self, _: u32, _: u32) -> u32 {
        0
    }

    fn sends(&self, _: u32, _: u32, _: u32) -> u32 {
        0
    }

    fn send(&self, _: u32, _: u32, _: u32, _: u32) -> Message {
        Message { to: Target::Rank(0), bytes: 0, recv_step: 0 }
    }

    fn recvs(&self, _: u32, _: u32, _: u32) -> Recv {
        Recv::default()
    }

    fn blocks(&self, _: u32, _: u32, _: u32, _: u32, _: &mut Vec<Block>) {}

    fn block_bytes(&self, _: Block) -> u64 {
        0
    }
}
