//! When to look: as often as it pays, and ever less where nothing repeats.
//!
//! **Budget.** Every packet sent over a link earns [`EARNED`] words, every word saved or compared costs one; so looking takes
//! a fixed small share of the time. The share halves with every few snapshots that were given up without a success, so
//! that where nothing repeats the cost fades out.
//!
//! **Snapshots.** One is kept and compared with at every look. It is replaced after as many looks as a limit says that
//! doubles each time (Brent, BIT 20, 1980): so a period of any length after a start of any length is found within a few times
//! their sum. What goes round a ring of all ranks comes back after as many steps as there are ranks: once the limit is past
//! the first transients, it goes there at once.
//!
//! **Invariant.** Decided by packets sent and words looked at, never by a clock; all shards count the same.

/// Words that may be looked at for each packet sent over a link.
const EARNED: u64 = 4;
/// Snapshots given up until the share halves.
const PATIENCE: u32 = 6;
/// Snapshots that may be owed: for a comparison under way, and after a success for another like it.
const DEBT: i64 = 4;
/// The share halves so often at most.
const LEAST: u32 = 10;
/// Looks until the first snapshot is replaced.
const FIRST: u32 = 1;
/// Looks until a snapshot is replaced from which on a natural period is waited for.
const SETTLED: u32 = 64;
/// Looks that the first snapshot may be put off.
const WAIT: u32 = 3;
/// A look costs at least this fraction of a snapshot, for it cuts windows short.
const LOOK: u64 = 256;

/// One kept snapshot and how long it is kept.
#[derive(Debug)]
pub(super) struct Tracker {
    pub(super) image: Vec<u64>,
    /// When it was taken, if there is one.
    pub(super) at: Option<u64>,
    looks: u32,
    limit: u32,
    /// Snapshots since the last forgotten one.
    round: u32,
    /// Times that the first snapshot was put off.
    waited: u32,
    /// Time between looks, if they are so regular.
    stride: Option<u64>,
    /// Looks that a natural period takes, if there is one.
    natural: u32,
}

impl Tracker {
    /// `natural`: looks that a natural period takes, if there is one.
    pub(super) fn new(natural: u32) -> Self {
        Self { image: vec![], at: None, looks: 0, limit: FIRST, round: 0, waited: 0, stride: None, natural }
    }

    /// The snapshot is of no use any more.
    pub(super) fn forget(&mut self) {
        *self = Self { image: std::mem::take(&mut self.image), ..Self::new(self.natural) };
    }

    /// Counts a look that found nothing.
    pub(super) fn looked(&mut self) {
        self.looks += 1;
    }

    /// True if a new snapshot is due.
    pub(super) fn due(&self) -> bool {
        self.at.is_none() || self.looks >= self.limit
    }

    /// True if the natural period, if there is one, was waited for in vain.
    pub(super) fn overdue(&self) -> bool {
        self.limit > self.natural
    }

    /// True if a snapshot is worth taking now: the first one waits a little for a stride.
    pub(super) fn ready(&mut self, paced: bool) -> bool {
        self.waited += 1;
        paced || self.round > 0 || self.waited > WAIT
    }

    /// A new snapshot was taken. Most are looked at in strides, if there are any: where the guess that is in them is right,
    /// they find the period at once.
    pub(super) fn renew(&mut self, at: u64, stride: u64) {
        if self.at.is_some() {
            self.limit = self.limit.saturating_mul(2);
            if self.limit > SETTLED && self.limit <= self.natural {
                self.limit = self.natural + 1;
            }
        }
        (self.at, self.looks) = (Some(at), 0);
        self.stride = Some(stride).filter(|&stride| stride > 0 && self.round % 4 < 3);
        self.round += 1;
    }

    /// When the next look after `now` is due, if they are regular.
    pub(super) fn next(&self, now: u64) -> Option<u64> {
        let (at, stride) = (self.at?, self.stride?);
        Some(at + (now.saturating_sub(at) / stride + 1) * stride)
    }
}

/// What may be spent.
#[derive(Debug, Default)]
pub(super) struct Budget {
    hops: u64,
    spent: u64,
    balance: i64,
    failures: u32,
    /// Something was skipped already.
    proven: bool,
}

impl Budget {
    /// Books what all shards have sent and looked at so far.
    pub(super) fn book(&mut self, hops: u64, spent: u64) {
        let share = (self.failures / PATIENCE).min(LEAST);
        self.balance += (((hops - self.hops) * EARNED) >> share) as i64 - (spent - self.spent) as i64;
        (self.hops, self.spent) = (hops, spent);
    }

    /// A snapshot of about `words` can be afforded.
    pub(super) fn affords(&self, words: u64) -> bool {
        let credit = if self.proven && self.failures == 0 { -DEBT } else { 1 };
        self.balance >= credit * words as i64
    }

    /// A comparison can be afforded: most end at once, so only debt stands in the way.
    pub(super) fn solvent(&self, words: u64) -> bool {
        self.balance >= -(DEBT * words as i64)
    }

    /// What a look costs that ends at once.
    pub(super) fn look(words: u64) -> u64 {
        words / LOOK + 1
    }

    pub(super) fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// So many packets over links were skipped, which is worth another few snapshots of `words`.
    pub(super) fn succeeded(&mut self, hops: u64, words: u64) {
        let most = (DEBT * words as i64).max(self.balance);
        self.balance = self.balance.saturating_add_unsigned(hops).min(most);
        self.failures = 0;
        self.proven = true;
    }
}
