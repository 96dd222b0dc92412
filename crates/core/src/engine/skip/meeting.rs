//! What shards tell each other about skipping.
//!
//! **Invariant.** Notices are written before the barrier that ends a window and read after it; verdicts are written and read
//! on the two sides of a barrier of their own. So all shards see the same and act alike.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use super::compare::Verdict;
use crate::engine::barrier::Barrier;

/// What a shard reports after each window: totals since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Notice {
    /// Packets sent over links.
    pub(super) hops: u64,
    /// Words saved and compared.
    pub(super) spent: u64,
    /// Words of a snapshot.
    pub(super) words: u64,
    /// Current step of rank 0's lane 0, from the shard that has it; and when it began.
    pub(super) step: u64,
    pub(super) begun: u64,
    /// When rank 0 last sent a packet and has another to send.
    pub(super) left: u64,
}

/// Where notices and verdicts are laid down.
#[derive(Debug)]
pub(in crate::engine) struct Meeting {
    notices: [Vec<[AtomicU64; 6]>; 2],
    verdicts: Vec<Mutex<Verdict>>,
}

impl Meeting {
    pub(in crate::engine) fn new(shards: usize) -> Self {
        let notices = || (0..shards).map(|_| Default::default()).collect();
        Self { notices: [notices(), notices()], verdicts: (0..shards).map(|_| Mutex::default()).collect() }
    }

    pub(super) fn shards(&self) -> usize {
        self.verdicts.len()
    }

    pub(super) fn report(&self, parity: usize, shard: usize, notice: Notice) {
        let Notice { hops, spent, words, step, begun, left } = notice;
        for (slot, value) in self.notices[parity][shard].iter().zip([hops, spent, words, step, begun, left]) {
            slot.store(value, Ordering::Release);
        }
    }

    /// The notices of all shards together.
    pub(super) fn read(&self, parity: usize) -> Notice {
        let mut all = Notice::default();
        for notice in &self.notices[parity] {
            let [hops, spent, words, step, begun, left] = notice.each_ref().map(|slot| slot.load(Ordering::Acquire));
            all.hops += hops;
            all.spent += spent;
            all.words += words;
            // zero from all shards but one
            all.step += step;
            all.begun += begun;
            all.left += left;
        }
        all
    }

    /// Lays down one shard's verdict and returns all of them.
    pub(super) fn confer(&self, barrier: &Barrier, shard: usize, verdict: Verdict) -> Vec<Verdict> {
        *open(&self.verdicts[shard]) = verdict;
        barrier.wait();
        self.verdicts.iter().map(|v| open(v).clone()).collect()
    }
}

fn open(slot: &Mutex<Verdict>) -> MutexGuard<'_, Verdict> {
    slot.lock().unwrap_or_else(|e| e.into_inner())
}
