//! Binomial trees: broadcast and scatter down, reduce and gather up.
//!
//! **Model.** Ranks are numbered from the root on. Number `v` with lowest set bit `2^b` (the root: `2^ceil(lg p)`) has the
//! children `v + 2^j`, `j < b`, where they exist; the subtree of `v` is `v..v+2^b`. Going down, a rank sends to one child a
//! step, the farthest first; going up it hears from one child a step, the nearest first, then sends to its parent. Scatter
//! and gather move a subtree's pieces.
//!
//! **Invariant.** A subtree is one span of ranks counted from the root.
//!
//! **Cost** (p ranks, n bytes): p-1 messages; broadcast, reduce n(p-1) bytes; scatter, gather n/p times the sum of the sizes
//! of all subtrees but the root's (n/2 lg p for a power of two). The root takes ceil(lg p) steps and, for scatter and
//! gather, n(p-1)/p bytes.
//!
//! **Limits.** No pipelining unless lanes are asked for.
//!
//! **Source.** Thakur, Rabenseifner, Gropp, IJHPCA 19(1), 2005, sections 3 and 4.

use super::Collective;
use super::layout::{Cut, Part, add_mod, ceil_log2, sub_mod};
use super::program::{Expect, Move, Program};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Binomial {
    collective: Collective,
    ranks: u32,
    root: u32,
    all: Part,
}

impl Binomial {
    pub(super) fn new(collective: Collective, root: u32, cut: &Cut) -> Self {
        Binomial { collective, ranks: cut.ranks(), root, all: cut.all() }
    }

    fn number(&self, rank: u32) -> u32 {
        sub_mod(rank, self.root, self.ranks)
    }

    fn rank(&self, number: u32) -> u32 {
        add_mod(number, self.root, self.ranks)
    }

    /// Number of children: those `v + 2^j` that exist.
    fn children(&self, v: u32) -> u32 {
        let bits = if v == 0 { u32::BITS } else { v.trailing_zeros() };
        bits.min(ceil_log2(self.ranks - v))
    }

    /// What travels between `v` and its parent.
    fn part(&self, v: u32) -> Part {
        match self.collective {
            Collective::Broadcast | Collective::Reduce => self.all,
            _ => {
                let len = (1 << v.trailing_zeros()).min(self.ranks - v);
                Part::Span { first: self.rank(v), len }
            }
        }
    }

    fn down(&self) -> bool {
        matches!(self.collective, Collective::Broadcast | Collective::Scatter)
    }

    /// The child that `v` deals with in a step, if any.
    fn child(&self, v: u32, step: u32) -> Option<u32> {
        let count = self.children(v);
        let j = if self.down() { (count + u32::from(v > 0)).checked_sub(step + 1)? } else { step };
        (j < count).then(|| v + (1 << j))
    }
}

impl Program for Binomial {
    fn steps(&self, rank: u32, _: u32) -> u32 {
        let v = self.number(rank);
        self.children(v) + u32::from(v > 0)
    }

    fn sends(&self, rank: u32, _: u32, step: u32) -> u32 {
        let v = self.number(rank);
        u32::from(self.child(v, step).is_some() == self.down())
    }

    fn send(&self, rank: u32, _: u32, step: u32, _: u32) -> Move {
        let v = self.number(rank);
        match self.child(v, step) {
            Some(child) => Move::new(self.rank(child), 0, self.part(child)),
            // Up: the parent hears from its j-th child, 2^j away, in step j.
            None => Move::new(self.rank(v & v.wrapping_sub(1)), v.trailing_zeros(), self.part(v)),
        }
    }

    fn recv(&self, rank: u32, _: u32, step: u32) -> Expect {
        let v = self.number(rank);
        match (self.child(v, step), self.collective) {
            (None, Collective::Broadcast | Collective::Scatter) => Expect::copy(self.part(v)),
            (Some(child), Collective::Reduce) => Expect::reduce(self.part(child)),
            (Some(child), Collective::Gather) => Expect::copy(self.part(child)),
            _ => Expect::NOTHING,
        }
    }
}
