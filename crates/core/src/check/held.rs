//! What a symbolic check keeps in memory, counted as it grows.
//!
//! **Model.** Sets of ranks, each counted once however many ranks share it, and the entries of maps and lists that refer to them.
//!
//! **Invariant.** A set is counted where it is made and taken off where its last owner lets go of it. **Cost.** An addition
//! each. **Limits.** The allocator's own overhead is an allowance, so the count is good to some ten percent.

use super::outcome::Ranks;
use std::rc::Rc;

/// Bytes of an entry of a map, which is two thirds full on average.
const ENTRY: u64 = 40;
/// Bytes of an entry of a list, which grows by doubling.
const WAITING: u64 = 32;
/// Bytes of a set besides its bits: two counters and the allocator's header.
const SET: u64 = 24;

/// Bytes held.
#[derive(Debug)]
pub(super) struct Held {
    bytes: u64,
    most: u64,
    set: u64,
}

impl Held {
    /// Nothing yet of what `most` allows, for sets of so many ranks.
    pub(super) fn new(ranks: u32, most: Option<u64>) -> Self {
        Self { bytes: 0, most: most.unwrap_or(u64::MAX), set: SET + 8 * u64::from(ranks.div_ceil(64)) }
    }

    /// Bytes held, if they are more than is allowed.
    pub(super) fn excess(&self) -> Option<u64> {
        (self.bytes > self.most).then_some(self.bytes)
    }

    /// A set was made.
    pub(super) fn made(&mut self) {
        self.bytes += self.set;
    }

    /// An owner lets go of a set.
    pub(super) fn lets_go(&mut self, set: Ranks) {
        if Rc::strong_count(&set) == 1 {
            self.bytes = self.bytes.saturating_sub(self.set);
        }
    }

    /// A map took a set, in place of what it had there.
    pub(super) fn entered(&mut self, before: Option<Ranks>) {
        match before {
            Some(set) => self.lets_go(set),
            None => self.bytes += ENTRY,
        }
    }

    /// A map lost so many entries.
    pub(super) fn left(&mut self, entries: usize) {
        self.bytes = self.bytes.saturating_sub(ENTRY * entries as u64);
    }

    /// So many entries wait for a rank.
    pub(super) fn wait(&mut self, entries: usize) {
        self.bytes += WAITING * entries as u64;
    }

    /// They were taken in.
    pub(super) fn taken(&mut self, entries: usize) {
        self.bytes = self.bytes.saturating_sub(WAITING * entries as u64);
    }
}
