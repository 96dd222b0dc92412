//! A barrier for short windows: spin a little, then yield.
//!
//! `std::sync::Barrier` sleeps at once, which costs more than most windows last; spinning alone would starve a machine
//! with more threads than cores. Sense reversal by a generation counter (Mellor-Crummey & Scott, TOCS 9(1) 1991).

use super::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use super::sync::{spin_loop, yield_now};

/// Reusable for any number of rounds, each of as many threads as all that wait in it say.
#[derive(Debug)]
pub(super) struct Barrier {
    arrived: AtomicUsize,
    generation: AtomicUsize,
    /// A thread has left for good, so nobody must wait for it.
    broken: AtomicBool,
}

/// Under loom every look is a turn for others: spinning and yielding are the same to it.
const SPINS: u32 = if cfg!(loom) { 0 } else { 4000 };

impl Barrier {
    pub(super) fn new() -> Self {
        Self { arrived: AtomicUsize::new(0), generation: AtomicUsize::new(0), broken: AtomicBool::new(false) }
    }

    /// Makes all who wait, now or later, unwind: one of them will not come any more.
    pub(super) fn break_off(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    /// Returns when so many threads have called it. What each wrote before is visible to all after.
    pub(super) fn wait(&self, threads: usize) {
        let generation = self.generation.load(Ordering::Acquire);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == threads {
            self.arrived.store(0, Ordering::Relaxed);
            self.generation.store(generation + 1, Ordering::Release);
            return;
        }
        let mut spins = 0;
        while self.generation.load(Ordering::Acquire) == generation {
            if self.broken.load(Ordering::Relaxed) {
                std::panic::resume_unwind(Box::new("another thread of the run ended early"));
            }
            if spins < SPINS {
                spins += 1;
                spin_loop();
            } else {
                yield_now();
            }
        }
    }
}
