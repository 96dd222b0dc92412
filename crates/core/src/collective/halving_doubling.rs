//! Recursive halving, and recursive halving and doubling (Rabenseifner's all-reduce).
//!
//! **Model.** Halving: in round `k` a core exchanges with the partner at distance `q/2^(k+1)`; each sends the half of its
//! data that the other is responsible for and reduces what it gets. After lg q rounds core `c` has piece `c` of the sum.
//! Doubling then goes the rounds backwards and exchanges finished pieces. All-reduce is both on `q` pieces;
//! reduce-scatter is halving on one piece per rank. Ranks beyond a power of two are folded (see the fold's chapter): a guest
//! gives its whole buffer before and gets its result (all, or its piece) after.
//!
//! **Invariant.** Before halving round `k` a core is responsible for the aligned group of `q/2^k` cores it is in.
//!
//! **Cost** (p ranks a power of two, n bytes): all-reduce 2 lg p steps, 2p lg p messages, 2n(p-1) bytes; reduce-scatter
//! half of that. Otherwise `q` cores, `r` guests: two steps and 2r messages more; all-reduce 2nr bytes more.
//!
//! **Limits.** Neighbours in rank exchange in the last halving round: the biggest messages travel farthest.
//!
//! **Source.** Rabenseifner: Optimization of collective reduction operations, ICCS 2004.

use super::Collective;
use super::fold::{Fold, Role};
use super::layout::{Cut, Part};
use super::program::{Expect, Move, Program};
use crate::radix::Digit;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct HalvingDoubling {
    fold: Fold,
    scatter: bool,
    all: Part,
}

/// Number of pieces that the buffer is cut into.
pub(super) fn pieces(collective: Collective, ranks: u32) -> u32 {
    if collective == Collective::ReduceScatter { ranks } else { Fold::new(ranks).cores }
}

impl HalvingDoubling {
    pub(super) fn new(collective: Collective, cut: &Cut) -> Self {
        let scatter = collective == Collective::ReduceScatter;
        HalvingDoubling { fold: Fold::new(cut.ranks()), scatter, all: cut.all() }
    }

    fn rounds(&self) -> u32 {
        if self.scatter { self.fold.rounds() } else { 2 * self.fold.rounds() }
    }

    /// Whether a round is of the halving, and its distance.
    fn round(&self, round: u32) -> (bool, u32) {
        let halving = round < self.fold.rounds();
        if halving { (true, self.fold.cores >> (round + 1)) } else { (false, 1 << (round - self.fold.rounds())) }
    }

    /// The pieces of the aligned group of `len` cores around `core`.
    fn group(&self, core: u32, len: u32) -> Part {
        let first = core / len * len;
        if self.scatter {
            let (first, len) = self.fold.span(first, len);
            Part::Span { first, len }
        } else {
            Part::Span { first, len }
        }
    }

    /// What a guest gets back.
    fn result(&self, guest: u32) -> Part {
        if self.scatter { Part::one(guest) } else { self.all }
    }
}

impl Program for HalvingDoubling {
    fn symmetry(&self) -> Vec<Digit> {
        self.fold.symmetry()
    }

    fn steps(&self, rank: u32, _: u32) -> u32 {
        match self.fold.role(rank) {
            Role::Guest => 2,
            Role::Host(_) => self.rounds() + 2,
            Role::Lone(_) => self.rounds(),
        }
    }

    fn sends(&self, rank: u32, _: u32, step: u32) -> u32 {
        match self.fold.role(rank) {
            Role::Guest => u32::from(step == 0),
            Role::Host(_) => u32::from(step > 0),
            Role::Lone(_) => 1,
        }
    }

    fn send(&self, rank: u32, _: u32, step: u32, _: u32) -> Move {
        let (core, round) = match self.fold.role(rank) {
            Role::Guest => return Move::new(rank + 1, 0, self.all),
            Role::Host(_) if step > self.rounds() => {
                return Move::new(rank - 1, 1, self.result(rank - 1));
            }
            Role::Host(core) => (core, step - 1),
            Role::Lone(core) => (core, step),
        };
        let (halving, far) = self.round(round);
        let partner = core ^ far;
        let part = self.group(if halving { partner } else { core }, far);
        Move::new(self.fold.rank(partner), round + self.fold.lead(partner), part)
    }

    fn recv(&self, rank: u32, _: u32, step: u32) -> Expect {
        let (core, round) = match self.fold.role(rank) {
            Role::Guest if step == 0 => return Expect::NOTHING,
            Role::Guest => return Expect::copy(self.result(rank)),
            Role::Host(_) if step == 0 => return Expect::reduce(self.all),
            Role::Host(_) if step > self.rounds() => return Expect::NOTHING,
            Role::Host(core) => (core, step - 1),
            Role::Lone(core) => (core, step),
        };
        match self.round(round) {
            (true, far) => Expect::reduce(self.group(core, far)),
            (false, far) => Expect::copy(self.group(core ^ far, far)),
        }
    }
}
