//! Recursive doubling: in round `k` partners at distance `2^k` exchange all they have.
//!
//! **Model.** All-reduce exchanges and reduces whole buffers; all-gather exchanges the pieces gathered so far, twice as
//! many each round. A number of ranks that is no power of two is folded (see the fold's chapter): a guest gives its buffer
//! or piece before and gets the result (less what it had) after.
//!
//! **Invariant.** After round `k` a core holds what the `2^(k+1)` cores of its aligned group began with.
//!
//! **Cost** (p ranks a power of two, n bytes): lg p steps, p lg p messages; all-reduce np lg p bytes, all-gather n(p-1).
//! Otherwise `q` cores and `r` guests: lg q + 2 steps, q lg q + 2r messages.
//!
//! **Limits.** All-reduce moves the whole buffer each round: for small ones only.
//!
//! **Source.** Thakur, Rabenseifner, Gropp, IJHPCA 19(1), 2005.

use super::Collective;
use super::fold::{Fold, Role};
use super::layout::{Cut, Part};
use super::program::{Expect, Move, Program};
use crate::radix::Digit;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct RecursiveDoubling {
    fold: Fold,
    ranks: u32,
    gather: bool,
    all: Part,
}

impl RecursiveDoubling {
    pub(super) fn new(collective: Collective, cut: &Cut) -> Self {
        let gather = collective == Collective::AllGather;
        RecursiveDoubling { fold: Fold::new(cut.ranks()), ranks: cut.ranks(), gather, all: cut.all() }
    }

    /// What a core holds before a round.
    fn held(&self, core: u32, round: u32) -> Part {
        if !self.gather {
            return self.all;
        }
        let (first, len) = self.fold.span(core >> round << round, 1 << round);
        Part::Span { first, len }
    }

    /// What a guest brings, and what it gets.
    fn guest(&self, guest: u32) -> (Part, Part) {
        if self.gather { (Part::one(guest), Part::all_but(guest, self.ranks)) } else { (self.all, self.all) }
    }

    fn got(&self, part: Part) -> Expect {
        if self.gather { Expect::copy(part) } else { Expect::reduce(part) }
    }
}

impl Program for RecursiveDoubling {
    fn symmetry(&self) -> Vec<Digit> {
        self.fold.symmetry()
    }

    fn steps(&self, rank: u32, _: u32) -> u32 {
        match self.fold.role(rank) {
            Role::Guest => 2,
            Role::Host(_) => self.fold.rounds() + 2,
            Role::Lone(_) => self.fold.rounds(),
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
            Role::Guest => return Move::new(rank + 1, 0, self.guest(rank).0),
            Role::Host(_) if step > self.fold.rounds() => {
                return Move::new(rank - 1, 1, self.guest(rank - 1).1);
            }
            Role::Host(core) => (core, step - 1),
            Role::Lone(core) => (core, step),
        };
        let partner = core ^ (1 << round);
        Move::new(self.fold.rank(partner), round + self.fold.lead(partner), self.held(core, round))
    }

    fn recv(&self, rank: u32, _: u32, step: u32) -> Expect {
        let (core, round) = match self.fold.role(rank) {
            Role::Guest if step == 0 => return Expect::NOTHING,
            Role::Guest => return Expect::copy(self.guest(rank).1),
            Role::Host(_) if step == 0 => return self.got(self.guest(rank - 1).0),
            Role::Host(_) if step > self.fold.rounds() => return Expect::NOTHING,
            Role::Host(core) => (core, step - 1),
            Role::Lone(core) => (core, step),
        };
        self.got(self.held(core ^ (1 << round), round))
    }
}
