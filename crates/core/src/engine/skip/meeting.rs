//! What shards tell each other about skipping.
//!
//! **Invariant.** Notices are written before the barrier that ends a window and read after it; verdicts are written and read
//! on the two sides of a barrier of their own, which all threads know of. So all shards see the same and act alike.

use super::compare::Verdict;
use crate::engine::sync::atomic::{AtomicU64, Ordering};
use crate::engine::sync::{Mutex, MutexGuard};

/// What a shard reports after each window: totals since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::engine) struct Notice {
    /// Packets sent over links.
    pub(super) hops: u64,
    /// Words saved and compared.
    pub(super) spent: u64,
    /// Words of a snapshot.
    pub(super) words: u64,
    /// From the shard that has rank 0.
    pub(super) lead: Lead,
}

/// Where rank 0 stands: all shards look at the state at its pace.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lead {
    /// Current step of lane 0, and when it began.
    pub(super) step: u64,
    pub(super) begun: u64,
    /// When the first port with something to send sent a packet last; zero if there is none.
    pub(super) left: u64,
    /// Time in which it sends so many packets that a period may be over; zero if it keeps no pace.
    pub(super) stride: u64,
    /// Whether its message is long enough for something to be skipped.
    pub(super) long: u64,
}

/// Where notices and verdicts are laid down.
#[derive(Debug)]
pub(in crate::engine) struct Meeting {
    notices: [Vec<[AtomicU64; 8]>; 2],
    verdicts: Vec<Mutex<Verdict>>,
    /// The shard that has rank 0.
    leader: usize,
}

impl Meeting {
    pub(in crate::engine) fn new(shards: usize, leader: usize) -> Self {
        let notices = || (0..shards).map(|_| Default::default()).collect();
        Self { notices: [notices(), notices()], verdicts: (0..shards).map(|_| Mutex::default()).collect(), leader }
    }

    pub(super) fn shards(&self) -> usize {
        self.verdicts.len()
    }

    pub(super) fn report(&self, parity: usize, shard: usize, notice: Notice) {
        let Notice { hops, spent, words, lead: Lead { step, begun, left, stride, long } } = notice;
        for (slot, value) in
            self.notices[parity][shard].iter().zip([hops, spent, words, step, begun, left, stride, long])
        {
            slot.store(value, Ordering::Release);
        }
    }

    /// The notices of all shards together.
    pub(in crate::engine) fn read(&self, parity: usize) -> Notice {
        let mut all = Notice::default();
        for (shard, notice) in self.notices[parity].iter().enumerate() {
            let [hops, spent, words, step, begun, left, stride, long] =
                notice.each_ref().map(|slot| slot.load(Ordering::Acquire));
            all.hops += hops;
            all.spent += spent;
            all.words += words;
            if self.leader == shard {
                all.lead = Lead { step, begun, left, stride, long };
            }
        }
        all
    }

    /// Lays down one shard's verdict.
    pub(super) fn lay(&self, shard: usize, verdict: Verdict) {
        *open(&self.verdicts[shard]) = verdict;
    }

    /// All verdicts, once the threads have met.
    pub(super) fn verdicts(&self) -> Vec<Verdict> {
        self.verdicts.iter().map(|v| open(v).clone()).collect()
    }
}

fn open(slot: &Mutex<Verdict>) -> MutexGuard<'_, Verdict> {
    slot.lock().unwrap_or_else(|e| e.into_inner())
}
