//! A switch of a graph that does not look at its queues, in one window.
//!
//! Where a packet goes is settled when it arrives, so ports have nothing to do with one another: each is a merge of its
//! channels by itself, as in [`super::switch`], with the rules of [`super::departure`]. A router that looks at its
//! queues takes everything in order of time instead ([`super::accelerator`]).
//!
//! **Invariant.** What leaves, and when, is what the accelerator's visit would find. **Cost.** O(1) a departure.

use super::credits::Freed;
use super::departure::Candidate;
use super::layout::UNPLUGGED;
use super::shard::Shard;
use crate::units::{Fs, NEVER};

impl Shard<'_> {
    /// One visit. Returns when the router must be visited next.
    pub(super) fn router(&mut self, lp: u32, end: Fs) -> Fs {
        let (base, _) = self.ports_of(lp);
        let mut next = self.collect(lp, base, end);
        self.settle_queues();
        let word = self.words[lp as usize];
        for w in word..self.words[lp as usize + 1] {
            let mut bits = self.out_bits[w as usize];
            while bits != 0 {
                let (bit, p) = (bits.trailing_zeros(), (w - word) * 64 + bits.trailing_zeros());
                bits &= bits - 1;
                let time = self.empty(base, p, end);
                next = next.min(time);
                if self.ports[(base + p) as usize].blocked {
                    next = next.min(self.credit_in_sight(base + p, end));
                } else if time == NEVER {
                    self.out_bits[w as usize] &= !(1 << bit);
                }
            }
        }
        self.return_credits(base, Freed::ByPort);
        next
    }

    /// Sends what can leave a port before `end`. Returns when it could send next.
    fn empty(&mut self, base: u32, p: u32, end: Fs) -> Fs {
        let mut candidate = Candidate::NONE;
        loop {
            let time = self.contend(UNPLUGGED, base, p, end, &mut candidate);
            if time >= end {
                return time;
            }
            self.last_event = self.last_event.max(time);
            self.depart(UNPLUGGED, base, p, time, &candidate);
        }
    }
}
