//! Folding any number of ranks to a power of two, for algorithms whose partners differ in one bit.
//!
//! **Model.** With `p = q + r`, `q` the largest power of two, the first `2r` ranks pair up: the even one (the *guest*)
//! hands its data to the odd one (its *host*) before and gets the result after. Cores `0..q` are the hosts, then the ranks
//! from `2r` on. Core `c` stands for the consecutive ranks `c + min(c, r)` up to those of core `c + 1`.
//!
//! **Invariant.** A core's ranks are consecutive, so an aligned group of cores stands for one span of ranks.
//!
//! **Cost.** Two more steps and two more messages for each of the `r` pairs, none for a power of two.
//!
//! **Source.** Thakur, Rabenseifner, Gropp: Optimization of collective communication operations in MPICH, IJHPCA 19(1),
//! 2005, section 4.

use crate::radix::Digit;

/// The fold of a number of ranks.
#[derive(Debug)]
pub(super) struct Fold {
    /// Number of cores: a power of two.
    pub(super) cores: u32,
    extra: u32,
}

/// What a rank is in a fold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Hands its data to the rank after it.
    Guest,
    /// Takes part as this core, with a guest.
    Host(u32),
    /// Takes part as this core, alone.
    Lone(u32),
}

impl Fold {
    /// Folds at least one rank.
    pub(super) fn new(ranks: u32) -> Self {
        let cores = 1 << ranks.ilog2();
        Fold { cores, extra: ranks - cores }
    }

    /// Exclusive-or with any number: every bit is a digit of its own. With guests there is none.
    pub(super) fn symmetry(&self) -> Vec<Digit> {
        let rounds = if self.extra == 0 { self.rounds() } else { 0 };
        (0..rounds).map(|bit| Digit { stride: 1 << bit, size: 2 }).collect()
    }

    /// Number of exchange steps among the cores.
    pub(super) fn rounds(&self) -> u32 {
        self.cores.ilog2()
    }

    pub(super) fn role(&self, rank: u32) -> Role {
        if rank >= 2 * self.extra {
            Role::Lone(rank - self.extra)
        } else if rank.is_multiple_of(2) {
            Role::Guest
        } else {
            Role::Host(rank / 2)
        }
    }

    /// The rank that acts as a core.
    pub(super) fn rank(&self, core: u32) -> u32 {
        if core < self.extra { 2 * core + 1 } else { core + self.extra }
    }

    /// Steps that a core spends before the first exchange.
    pub(super) fn lead(&self, core: u32) -> u32 {
        u32::from(core < self.extra)
    }

    /// First rank and number of ranks that the cores `first..first + len` stand for.
    pub(super) fn span(&self, first: u32, len: u32) -> (u32, u32) {
        let start = |core: u32| core + core.min(self.extra);
        (start(first), start(first + len) - start(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rank_has_one_role() {
        for n in 1..70 {
            let fold = Fold::new(n);
            for core in 0..fold.cores {
                let rank = fold.rank(core);
                let (first, len) = fold.span(core, 1);
                match fold.role(rank) {
                    Role::Host(c) => {
                        assert_eq!((c, first, len, fold.lead(c)), (core, rank - 1, 2, 1))
                    }
                    Role::Lone(c) => assert_eq!((c, first, len, fold.lead(c)), (core, rank, 1, 0)),
                    Role::Guest => panic!("core {core} of {n} is a guest"),
                }
            }
            assert_eq!(fold.span(0, fold.cores), (0, n));
        }
    }
}
