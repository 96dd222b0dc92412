//! Pairwise exchange: in step `k` everyone sends to the rank `k+1` further on and hears from the rank `k+1` before,
//! counted digit by digit in the order that the caller gives (see the direct exchange).
//!
//! **Model.** All-to-all sends the block meant for that rank, reduce-scatter that rank's piece, which it reduces.
//!
//! **Invariant.** In each step every rank sends one message and receives one.
//!
//! **Cost** (p ranks, n bytes): p-1 steps, p(p-1) messages, n(p-1) bytes.
//!
//! **Limits.** Shifts, not exclusive-or partners, whatever p.
//!
//! **Source.** Thakur, Rabenseifner, Gropp, IJHPCA 19(1), 2005 (all-to-all of long messages, reduce-scatter).

use super::Collective;
use super::layout::{Cut, Part};
use super::program::{Expect, Move, Program};
use crate::radix::{Digit, Radix};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Pairwise {
    ranks: u32,
    reduce: bool,
    order: Radix,
}

impl Pairwise {
    pub(super) fn new(collective: Collective, order: Radix, cut: &Cut) -> Self {
        Pairwise { ranks: cut.ranks(), reduce: collective == Collective::ReduceScatter, order }
    }
}

impl Program for Pairwise {
    fn symmetry(&self) -> Vec<Digit> {
        self.order.digits().to_vec()
    }

    fn steps(&self, _: u32, _: u32) -> u32 {
        self.ranks - 1
    }

    fn sends(&self, _: u32, _: u32, _: u32) -> u32 {
        1
    }

    fn send(&self, rank: u32, _: u32, step: u32, _: u32) -> Move {
        let peer = self.order.add(rank, step + 1);
        // The pieces of an all-to-all are numbered by distance.
        Move::new(peer, step, Part::one(if self.reduce { peer } else { step + 1 }))
    }

    fn recv(&self, rank: u32, _: u32, step: u32) -> Expect {
        if self.reduce { Expect::reduce(Part::one(rank)) } else { Expect::copy(Part::one(step + 1)) }
    }
}
