//! Which thread simulates which shards in a window.
//!
//! **Model.** Each thread gets a run of shards, so that neighbours stay together; the runs are cut so that what the shards did in
//! the last window would be spread evenly. While the old runs are nearly as good they stay, because a shard's state is in
//! its thread's caches. What the last window does not tell is made up for by stealing, see [`super::team`].
//!
//! **Invariant.** A pure function of the numbers of all windows so far, so that all threads deal alike without a word; every
//! thread has at least one shard.
//!
//! **Cost.** O(shards) a thread and window.

use std::ops::Range;

/// The old runs stay while the busiest thread would do at most this part (over 8) of what it would with new ones.
const STAY: u64 = 9;

/// See the module.
#[derive(Debug)]
pub(super) struct Deal {
    /// First shard of each thread, and the number of shards.
    first: Vec<usize>,
    /// The runs that would be best now, and what each shard did.
    best: Vec<usize>,
    work: Vec<u64>,
}

impl Deal {
    /// As many shards for each thread.
    pub(super) fn new(shards: usize, threads: usize) -> Self {
        let first: Vec<usize> = (0..=threads).map(|t| t * shards / threads).collect();
        Self { best: first.clone(), first, work: Vec::with_capacity(shards) }
    }

    /// The shards of a thread.
    pub(super) fn of(&self, thread: usize) -> Range<usize> {
        self.first[thread]..self.first[thread + 1]
    }

    /// Deals anew by what each shard did.
    pub(super) fn again(&mut self, work: impl Iterator<Item = u64>) {
        self.work.clear();
        self.work.extend(work);
        let (shards, threads) = (self.work.len(), self.first.len() - 1);
        let total: u64 = self.work.iter().sum();
        let (mut thread, mut before) = (1, 0);
        for (shard, &work) in self.work.iter().enumerate() {
            // a shard belongs where its middle lies, but no thread may be left without one
            let middle = (2 * before + work) * threads as u64 >= 2 * total * thread as u64;
            let late = shards - shard <= threads - thread;
            if thread < threads && self.best[thread - 1] < shard && (middle || late) {
                self.best[thread] = shard;
                thread += 1;
            }
            before += work;
        }
        debug_assert_eq!(thread, threads);
        if 8 * busiest(&self.first, &self.work) > STAY * busiest(&self.best, &self.work) {
            self.first.clone_from(&self.best);
        }
    }
}

/// What the busiest thread does.
fn busiest(first: &[usize], work: &[u64]) -> u64 {
    first.windows(2).map(|run| work[run[0]..run[1]].iter().sum()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dealt(deal: &Deal) -> Vec<Range<usize>> {
        (0..deal.first.len() - 1).map(|t| deal.of(t)).collect()
    }

    #[test]
    fn follows_the_work() {
        let mut deal = Deal::new(8, 2);
        assert_eq!(dealt(&deal), [0..4, 4..8]);
        deal.again([5, 5, 5, 5, 0, 0, 0, 0].into_iter());
        assert_eq!(dealt(&deal), [0..2, 2..8]);
        // a little better is not worth the move
        deal.again([5, 5, 1, 3, 2, 2, 1, 0].into_iter());
        assert_eq!(dealt(&deal), [0..2, 2..8]);
        deal.again([0, 0, 0, 0, 0, 0, 3, 9].into_iter());
        assert_eq!(dealt(&deal), [0..7, 7..8]);
    }

    proptest! {
        #[test]
        fn everyone_has_something_and_no_one_too_much(
            work in prop::collection::vec(0u64..1000, 1..60), threads in 1usize..20
        ) {
            let threads = threads.min(work.len());
            let mut deal = Deal::new(work.len(), threads);
            deal.again(work.iter().copied());
            let runs = dealt(&deal);
            prop_assert!(runs.iter().all(|run| !run.is_empty()));
            prop_assert_eq!((runs[0].start, runs[threads - 1].end), (0, work.len()));
            prop_assert!(runs.windows(2).all(|pair| pair[0].end == pair[1].start));
            // nobody does more than a fair share and the largest shard, and an eighth
            let (sum, largest) = (work.iter().sum::<u64>(), work.iter().copied().max().unwrap_or(0));
            let most = busiest(&deal.first, &work);
            prop_assert!(8 * most <= 9 * (sum / threads as u64 + largest + 1), "{} of {}", most, sum);
        }
    }
}
