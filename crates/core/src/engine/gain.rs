//! How many threads are worth their while: measured during the run, because nobody knows what else the machine does.
//!
//! **Model.** A run starts with one thread. After a trial it tries twice as many, and goes on doubling as long as work gets done
//! faster by a tenth; then it keeps the fastest number for many trials' length, and looks again at the next smaller
//! and the next larger one. If work suddenly takes twice as long as it did, it looks at once. So a busy machine, on which
//! threads wait for each other's time slices in every window, costs a few trials; an idle one costs the trials with fewer.
//!
//! **Invariant.** The clock decides who simulates, never what comes out: any thread may simulate any shard. A pure function of
//! the numbers that it is given. **Cost.** One look at the clock per window, by one thread. **Limits.** Phases of a run that
//! differ in work per window are told apart only by their work.

use std::time::{Duration, Instant};

/// A trial lasts so long, and so many windows at least; the first, with cold caches, does not count.
const TRIAL: Duration = if cfg!(loom) { Duration::ZERO } else { Duration::from_millis(2) };
const WINDOWS: u32 = if cfg!(loom) { 1 } else { 4 };
/// A number that was found is kept for so many times a trial at first, and then twice as long each time it is found again.
const KEPT: u32 = 16;
const LONGEST: u32 = 512;
/// More threads must be so much faster: work in this time counts as work in this many tenths.
const FASTER: f64 = 0.9;
/// Work that takes so many times as long as it did means that the machine has changed.
const CHANGED: f64 = 2.0;

/// The time by the wall.
#[allow(clippy::disallowed_methods)] // it decides who works, and no result depends on that
pub(super) fn clock() -> Instant {
    #[cfg(not(loom))]
    return Instant::now();
    // no time passes, so that an execution can be repeated: the numbers of threads are tried by turns
    #[cfg(loom)]
    return *std::sync::OnceLock::get_or_init(&STILL, Instant::now);
}

#[cfg(loom)]
static STILL: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();

/// See the module.
#[derive(Debug)]
pub(super) struct Gain {
    /// Numbers of threads, from one to all.
    levels: Vec<usize>,
    /// Nanoseconds per unit of work with each, as measured last.
    pace: Vec<f64>,
    /// The level that is in use, and the best one known.
    at: usize,
    home: usize,
    /// Levels still to be tried before the next decision, the next one last.
    tries: Vec<usize>,
    /// How many trials' lengths a level is kept, and how long it still is; `None` while levels are tried.
    keep: u32,
    left: Option<Duration>,
    windows: u32,
    work: u64,
    time: Duration,
}

impl Gain {
    /// For at most so many threads.
    pub(super) fn new(threads: usize) -> Self {
        let doubled = std::iter::successors(Some(1), |n| Some(2 * n)).take_while(|&n| n < threads);
        Self::over(doubled.chain([threads]).collect())
    }

    /// For these numbers of threads.
    pub(super) fn over(levels: Vec<usize>) -> Self {
        Self {
            pace: vec![f64::INFINITY; levels.len()],
            tries: if levels.len() > 1 { vec![1] } else { vec![] },
            levels,
            at: 0,
            home: 0,
            keep: KEPT,
            left: None,
            windows: 0,
            work: 0,
            time: Duration::ZERO,
        }
    }

    /// Threads to use now.
    pub(super) fn threads(&self) -> usize {
        self.levels[self.at]
    }

    /// A window is through, with so much work in this time.
    pub(super) fn window(&mut self, work: u64, time: Duration) {
        self.windows += 1;
        if self.windows == 1 {
            return;
        }
        self.work += work;
        self.time += time;
        let (pace, took) = (self.time.as_nanos() as f64 / self.work.max(1) as f64, self.time);
        // what is much slower is given up at once: a window of threads that wait for time slices is long
        let hopeless = self.at != self.home && pace > CHANGED * self.pace[self.home];
        if self.time < TRIAL || self.windows <= WINDOWS && !hopeless {
            return;
        }
        (self.windows, self.work, self.time) = (0, 0, Duration::ZERO);
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(took);
            let changed = pace > CHANGED * self.pace[self.at];
            if !changed && !left.is_zero() {
                return;
            }
            if changed {
                self.keep = KEPT;
            }
            // what is in use was measured just now; then the next smaller, and the next larger
            self.left = None;
            self.tries = self.neighbours(true, true);
        }
        self.pace[self.at] = pace;
        match self.tries.pop() {
            Some(next) => self.at = next,
            None => self.decide(),
        }
    }

    /// The levels beside the best one.
    fn neighbours(&self, below: bool, above: bool) -> Vec<usize> {
        let above = Some(self.home + 1).filter(|&up| above && up < self.levels.len());
        let below = self.home.checked_sub(1).filter(|_| below);
        above.into_iter().chain(below).collect()
    }

    /// All that was to be tried has been: the best of them is kept, or looked beyond.
    fn decide(&mut self) {
        let (pace, home) = (&self.pace, self.home);
        let worth = |more: usize, fewer: usize| pace[more] < FASTER * pace[fewer];
        let fewer = home.checked_sub(1).filter(|&fewer| !worth(home, fewer));
        let more = Some(home + 1).filter(|&more| more < pace.len() && worth(more, home));
        self.home = fewer.or(more).unwrap_or(home);
        self.tries = match self.home.cmp(&home) {
            std::cmp::Ordering::Equal => vec![],
            moved => self.neighbours(moved.is_lt(), moved.is_gt()),
        };
        self.at = self.tries.pop().unwrap_or(self.home);
        if self.at == self.home {
            self.keep = if self.home == home { (2 * self.keep).min(LONGEST) } else { KEPT };
            self.left = Some(TRIAL * self.keep);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs windows of a thousand units; one takes `nanos(threads, window)`. Number of windows with each number of threads.
    fn run(threads: usize, windows: u64, nanos: impl Fn(usize, u64) -> u64) -> Vec<(usize, u64)> {
        let mut gain = Gain::new(threads);
        let mut used: Vec<(usize, u64)> = vec![];
        for window in 0..windows {
            let now = gain.threads();
            match used.iter_mut().find(|u| u.0 == now) {
                Some(u) => u.1 += 1,
                None => used.push((now, 1)),
            }
            gain.window(1000, Duration::from_nanos(nanos(now, window)));
        }
        used
    }

    fn of(used: &[(usize, u64)], threads: usize) -> u64 {
        used.iter().find(|u| u.0 == threads).map_or(0, |u| u.1)
    }

    #[test]
    fn an_idle_machine_uses_all_threads() {
        // windows of 80 us that divide evenly: 98 of 100 windows have all four threads
        let used = run(4, 100_000, |threads, _| 80_000 / threads as u64);
        assert!(of(&used, 4) > 95_000, "{used:?}");
    }

    #[test]
    fn a_busy_machine_falls_back_to_one() {
        // windows of 6 us alone; several threads wait a time slice of 300 us for each other
        let used = run(7, 20_000, |threads, _| if threads == 1 { 6_000 } else { 300_000 });
        assert!(of(&used, 1) > 19_800, "{used:?}");
        let time: u64 = used.iter().map(|&(threads, n)| n * if threads == 1 { 6 } else { 300 }).sum();
        assert!(time < 2 * 20_000 * 6, "at most twice as long as alone: {time} us");
    }

    #[test]
    fn the_best_number_may_lie_between() {
        let used = run(8, 100_000, |threads, _| 80_000 / threads.min(2) as u64 + 2_000 * threads as u64);
        assert!(of(&used, 2) > 90_000, "{used:?}");
    }

    #[test]
    fn a_machine_that_becomes_busy_is_left_to_others() {
        let busy = |window: u64| window >= 50_000;
        let used = run(2, 100_000, |threads, window| match (threads, busy(window)) {
            (1, _) => 20_000,
            (_, false) => 10_500,
            (_, true) => 500_000,
        });
        assert!(of(&used, 2) > 45_000 && of(&used, 2) < 51_000, "{used:?}");
    }
}
