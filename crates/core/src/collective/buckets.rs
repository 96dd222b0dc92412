//! Rings dimension by dimension: what torus buckets and hierarchies have in common.
//!
//! **Model.** A rank is a number in mixed radix. Reduce-scatter goes through the dimensions in a lane's order; in each, the
//! ranks that differ in that digit only form a ring and reduce-scatter what they are still responsible for, so that
//! afterwards they are responsible for the pieces with their own digit. All-gather goes the same way back. All-reduce is
//! both. Lanes may differ in the order of dimensions and in the direction of the rings.
//!
//! **Invariant.** Before its `i`-th dimension a rank is responsible for the pieces that agree with it in the first `i`
//! dimensions of the lane's order.
//!
//! **Cost** (p ranks, n bytes, dimensions `s_i`): all-reduce 2 sum(s_i - 1) steps, as many messages a rank and lane,
//! 2n(p-1) bytes; all-gather and reduce-scatter half of that. O(dimensions) a call; no tables.
//!
//! **Limits.** At most eight dimensions of size two or more.
//!
//! **Source.** See the modules that use it.

use super::Collective;
use super::axes::{Axis, Frames};
use super::layout::Part;
use super::program::{Expect, Move, Program};
use crate::radix::Digit;
use std::ops::Range;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Buckets {
    collective: Collective,
    lines: Lines,
    frames: Frames,
}

/// How lanes differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lines {
    /// All lanes go through the dimensions in order, upwards.
    Same,
    /// Lane `l` starts with dimension `l/2`, odd lanes go downwards.
    Rotated,
}

/// What a step does: ring step `t` of one dimension.
struct Turn {
    gather: bool,
    /// How many dimensions of the lane's order come before.
    index: usize,
    t: u32,
}

impl Buckets {
    /// Around the axes of frames whose places are the ranks.
    pub(super) fn new(collective: Collective, lines: Lines, frames: Frames) -> Self {
        Buckets { collective, lines, frames }
    }

    fn half(&self, lane: u32) -> u32 {
        self.frames.of(lane).iter().map(|axis| axis.size() - 1).sum()
    }

    fn turn(&self, lane: u32, step: u32) -> Turn {
        let half = self.half(lane);
        let gather = self.collective == Collective::AllGather || step >= half;
        let mut t = step % half;
        let size = |index: usize| self.frames.of(lane)[index].size() - 1;
        let mut index = if gather { self.frames.count() - 1 } else { 0 };
        while t >= size(index) {
            t -= size(index);
            index = if gather { index - 1 } else { index + 1 };
        }
        Turn { gather, index, t }
    }

    fn axis(&self, lane: u32, turn: &Turn) -> &Axis {
        &self.frames.of(lane)[turn.index]
    }

    fn down(&self, lane: u32) -> bool {
        self.lines == Lines::Rotated && lane % 2 == 1
    }

    /// The pieces that a rank with this coordinate in the turn's dimension, and the others of `rank`, sends in a turn.
    fn part(&self, rank: u32, lane: u32, at: u32, turn: &Turn) -> Part {
        let axis = self.axis(lane, turn);
        let behind = if turn.gather { turn.t } else { turn.t + 1 };
        let set = axis.fix(self.frames.all(), axis.along(at, axis.size() - behind, self.down(lane)));
        Part::Digits(self.frames.of(lane)[..turn.index].iter().fold(set, |set, done| done.fix(set, done.at(rank))))
    }
}

impl Program for Buckets {
    /// Every closed dimension can be rotated on its own.
    fn symmetry(&self) -> Vec<Digit> {
        self.frames.rotations()
    }

    fn steps(&self, _: u32, lane: u32) -> u32 {
        if self.collective == Collective::AllReduce { 2 * self.half(lane) } else { self.half(lane) }
    }

    fn sends(&self, _: u32, _: u32, _: u32) -> u32 {
        1
    }

    fn send(&self, rank: u32, lane: u32, step: u32, _: u32) -> Move {
        let turn = self.turn(lane, step);
        let axis = self.axis(lane, &turn);
        Move::new(axis.next(rank, self.down(lane)), step, self.part(rank, lane, axis.at(rank), &turn))
    }

    fn recv(&self, rank: u32, lane: u32, step: u32) -> Expect {
        let turn = self.turn(lane, step);
        let axis = self.axis(lane, &turn);
        let before = axis.along(axis.at(rank), axis.size() - 1, self.down(lane));
        let part = self.part(rank, lane, before, &turn);
        if turn.gather { Expect::copy(part) } else { Expect::reduce(part) }
    }

    /// The ring steps of one dimension: as many pieces each to the same neighbour.
    fn alike(&self, lane: u32, step: u32) -> Range<u32> {
        let turn = self.turn(lane, step);
        let first = step - turn.t;
        first..first + self.axis(lane, &turn).size() - 1
    }
}
