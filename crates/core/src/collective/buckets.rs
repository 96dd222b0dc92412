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

use super::digits::{Digits, MAX_DIMS};
use super::layout::{Part, add_mod, sub_mod};
use super::names::Collective;
use super::program::{Expect, Move, Program};
use crate::radix::Digit;
use std::ops::Range;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Buckets {
    collective: Collective,
    lines: Lines,
    count: usize,
    dims: [u32; MAX_DIMS],
    /// Dimensions that are lines, not rings.
    open: [bool; MAX_DIMS],
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
    /// `dims` of size two or more, at most [`MAX_DIMS`], with their product the number of ranks; `open(d)`: no wraparound.
    pub(super) fn new(collective: Collective, lines: Lines, dims: &[u32], open: impl Fn(usize) -> bool) -> Self {
        let mut buckets =
            Buckets { collective, lines, count: dims.len(), dims: [1; MAX_DIMS], open: [false; MAX_DIMS] };
        for (d, &size) in dims.iter().enumerate() {
            (buckets.dims[d], buckets.open[d]) = (size, open(d));
        }
        buckets
    }

    fn dims(&self) -> &[u32] {
        &self.dims[..self.count]
    }

    /// The `index`-th dimension of a lane.
    fn dim(&self, lane: u32, index: usize) -> usize {
        match self.lines {
            Lines::Same => index,
            Lines::Rotated => (lane as usize / 2 + index) % self.count,
        }
    }

    fn half(&self) -> u32 {
        self.dims().iter().map(|&size| size - 1).sum()
    }

    fn turn(&self, lane: u32, step: u32) -> Turn {
        let half = self.half();
        let gather = self.collective == Collective::AllGather || step >= half;
        let mut t = step % half;
        let size = |index: usize| self.dims[self.dim(lane, index)] - 1;
        let mut index = if gather { self.count - 1 } else { 0 };
        while t >= size(index) {
            t -= size(index);
            index = if gather { index - 1 } else { index + 1 };
        }
        Turn { gather, index, t }
    }

    fn stride(&self, dim: usize) -> u32 {
        self.dims[..dim].iter().product()
    }

    fn digit(&self, rank: u32, dim: usize) -> u32 {
        rank / self.stride(dim) % self.dims[dim]
    }

    /// Place of a digit on the ring of its dimension. A line is walked over even digits up and odd ones down, so that no
    /// hop is longer than two links and each link carries one hop each way.
    fn place(&self, dim: usize, digit: u32) -> u32 {
        match (self.open[dim], digit % 2) {
            (false, _) => digit,
            (true, 0) => digit / 2,
            (true, _) => self.dims[dim] - 1 - digit / 2,
        }
    }

    fn digit_at(&self, dim: usize, place: u32) -> u32 {
        let back = self.dims[dim] - 1 - place;
        match self.open[dim] {
            false => place,
            true if place <= back => 2 * place,
            true => 2 * back + 1,
        }
    }

    /// The digit `hops` further along the ring in the lane's direction, `hops` at most the size.
    fn along(&self, lane: u32, dim: usize, digit: u32, hops: u32) -> u32 {
        let (place, size) = (self.place(dim, digit), self.dims[dim]);
        let down = self.lines == Lines::Rotated && lane % 2 == 1;
        self.digit_at(dim, if down { sub_mod(place, hops, size) } else { add_mod(place, hops, size) })
    }

    /// The pieces that a rank with `digit` in the turn's dimension, and the other digits of `rank`, sends in a turn.
    fn part(&self, rank: u32, lane: u32, digit: u32, turn: &Turn) -> Part {
        let dim = self.dim(lane, turn.index);
        let size = self.dims[dim];
        let behind = if turn.gather { turn.t } else { turn.t + 1 };
        let mut set = Digits::free(self.dims()).fix(dim, self.along(lane, dim, digit, size - behind));
        for index in 0..turn.index {
            let done = self.dim(lane, index);
            set = set.fix(done, self.digit(rank, done));
        }
        Part::Digits(set)
    }
}

impl Program for Buckets {
    /// Every closed dimension can be rotated on its own.
    fn symmetry(&self) -> Vec<Digit> {
        let closed = (0..self.count).filter(|&dim| !self.open[dim]);
        closed.map(|dim| Digit { stride: self.stride(dim), size: self.dims[dim] }).collect()
    }

    fn steps(&self, _: u32, _: u32) -> u32 {
        if self.collective == Collective::AllReduce { 2 * self.half() } else { self.half() }
    }

    fn sends(&self, _: u32, _: u32, _: u32) -> u32 {
        1
    }

    fn send(&self, rank: u32, lane: u32, step: u32, _: u32) -> Move {
        let turn = self.turn(lane, step);
        let dim = self.dim(lane, turn.index);
        let (own, stride) = (self.digit(rank, dim), self.stride(dim));
        let next = rank - own * stride + self.along(lane, dim, own, 1) * stride;
        Move::new(next, step, self.part(rank, lane, own, &turn))
    }

    fn recv(&self, rank: u32, lane: u32, step: u32) -> Expect {
        let turn = self.turn(lane, step);
        let dim = self.dim(lane, turn.index);
        let before = self.along(lane, dim, self.digit(rank, dim), self.dims[dim] - 1);
        let part = self.part(rank, lane, before, &turn);
        if turn.gather { Expect::copy(part) } else { Expect::reduce(part) }
    }

    /// The ring steps of one dimension: as many pieces each to the same neighbour.
    fn alike(&self, lane: u32, step: u32) -> Range<u32> {
        let turn = self.turn(lane, step);
        let first = step - turn.t;
        first..first + self.dims[self.dim(lane, turn.index)] - 1
    }
}
