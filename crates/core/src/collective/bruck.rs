//! Bruck's algorithms: in step `k` everyone sends `2^k` ranks on, whatever the number of ranks.
//!
//! **Model.** All-gather: rank `r` sends the first `min(2^k, p-2^k)` of its pieces `r, r+1, ...` to rank `r-2^k`.
//! All-to-all: a block that must travel `d` ranks moves on by `2^k` in step `k` if bit `k` of `d` is set, so rank `r` sends
//! to `r+2^k` every block it then holds with that bit. Barrier: dissemination, empty messages to `r+2^k`.
//!
//! **Invariant.** Before step `k` of the all-gather a rank has its next `2^k` pieces; of the all-to-all, a block is as many
//! ranks from its source as the bits of `d` below `k` say.
//!
//! **Cost** (p ranks, n bytes): ceil(lg p) steps, as many messages a rank. All-gather n(p-1) bytes; all-to-all
//! n/p times the number of set bits of `0..p` for every rank (n/2 lg p for a power of two); barrier none.
//!
//! **Limits.** The local rotations before and after are not charged.
//!
//! **Source.** Bruck, Ho, Kipnis, Upfal, Weathersby: Efficient algorithms for all-to-all communications in multiport
//! message-passing systems, IEEE TPDS 8(11), 1997; Hensgen, Finkel, Manber: Two algorithms for barrier synchronization,
//! IJPP 17(1), 1988.

use super::Collective;
use super::layout::{Cut, Part, add_mod, ceil_log2, sub_mod};
use super::program::{Expect, Move, Program};
use crate::radix::Digit;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Bruck {
    collective: Collective,
    ranks: u32,
}

impl Bruck {
    pub(super) fn new(collective: Collective, cut: &Cut) -> Self {
        Bruck { collective, ranks: cut.ranks() }
    }

    /// The rank that hears from `rank` in a step. Pieces flow down the ranks in an all-gather, up otherwise.
    fn next(&self, rank: u32, step: u32) -> u32 {
        match self.collective {
            Collective::AllGather => sub_mod(rank, 1 << step, self.ranks),
            _ => add_mod(rank, 1 << step, self.ranks),
        }
    }

    fn part(&self, rank: u32, step: u32) -> Part {
        let far = 1 << step;
        match self.collective {
            Collective::AllGather => Part::Span { first: rank, len: far.min(self.ranks - far) },
            // Of a barrier's tokens, those of the ranks heard of so far (they have no bytes).
            Collective::Barrier => Part::Span { first: sub_mod(rank, far - 1, self.ranks), len: far },
            _ => Part::Bit(step),
        }
    }
}

impl Program for Bruck {
    fn symmetry(&self) -> Vec<Digit> {
        vec![Digit { stride: 1, size: self.ranks }]
    }

    fn steps(&self, _: u32, _: u32) -> u32 {
        ceil_log2(self.ranks)
    }

    fn sends(&self, _: u32, _: u32, _: u32) -> u32 {
        1
    }

    fn send(&self, rank: u32, _: u32, step: u32, _: u32) -> Move {
        Move::new(self.next(rank, step), step, self.part(rank, step))
    }

    fn recv(&self, rank: u32, _: u32, step: u32) -> Expect {
        let from = match self.collective {
            Collective::AllGather => add_mod(rank, 1 << step, self.ranks),
            _ => sub_mod(rank, 1 << step, self.ranks),
        };
        Expect::copy(self.part(from, step))
    }
}
