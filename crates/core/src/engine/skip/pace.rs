//! When to look: as often as it pays, and ever less where nothing repeats.
//!
//! **Budget.** Every packet sent over a link earns [`EARNED`] words, every word saved or compared costs one; so looking takes
//! a fixed small share of the time. The share halves with every few snapshots that were given up without a success, so
//! that where nothing repeats the cost fades out.
//!
//! **Snapshots.** One is kept and compared with at every look. It is replaced after as many looks as a limit says that
//! doubles each time (Brent, BIT 20, 1980): so a period of any length after a start of any length is found within a few times
//! their sum.
//!
//! **Invariant.** Decided by packets sent and words looked at, never by a clock; all shards count the same.

/// Words that may be looked at for each packet sent over a link.
const EARNED: u64 = 4;
/// Snapshots given up until the share halves.
const PATIENCE: u32 = 6;
/// The share halves so often at most.
const LEAST: u32 = 10;
/// Looks until the first snapshot is replaced.
const FIRST: u32 = 4;

/// One kept snapshot and how long it is kept.
#[derive(Debug)]
pub(super) struct Tracker {
    pub(super) image: Vec<u64>,
    /// When it was taken, if there is one.
    pub(super) at: Option<u64>,
    looks: u32,
    limit: u32,
}

impl Tracker {
    pub(super) fn new() -> Self {
        Self { image: vec![], at: None, looks: 0, limit: FIRST }
    }

    /// The snapshot is of no use any more.
    pub(super) fn forget(&mut self) {
        (self.at, self.looks, self.limit) = (None, 0, FIRST);
    }

    /// Counts a look that found nothing.
    pub(super) fn looked(&mut self) {
        self.looks += 1;
    }

    /// True if a new snapshot is due.
    pub(super) fn due(&self) -> bool {
        self.at.is_none() || self.looks >= self.limit
    }

    /// A new snapshot was taken.
    pub(super) fn renew(&mut self, at: u64) {
        if self.at.is_some() {
            self.limit = self.limit.saturating_mul(2);
        }
        (self.at, self.looks) = (Some(at), 0);
    }
}

/// What may be spent.
#[derive(Debug, Default)]
pub(super) struct Budget {
    hops: u64,
    spent: u64,
    balance: i64,
    failures: u32,
}

impl Budget {
    /// Books what all shards have sent and looked at so far.
    pub(super) fn book(&mut self, hops: u64, spent: u64) {
        let share = (self.failures / PATIENCE).min(LEAST);
        self.balance += ((hops - self.hops) * EARNED >> share) as i64 - (spent - self.spent) as i64;
        (self.hops, self.spent) = (hops, spent);
    }

    /// A snapshot of about `words` can be afforded.
    pub(super) fn affords(&self, words: u64) -> bool {
        self.balance >= words as i64
    }

    /// A comparison can be afforded: most end at once, so only debt stands in the way.
    pub(super) fn solvent(&self, words: u64) -> bool {
        self.balance >= -(words as i64)
    }

    pub(super) fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }
}
